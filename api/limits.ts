import {
  type ASTVisitor,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  GraphQLError,
  getNamedType,
  getNullableType,
  isCompositeType,
  isListType,
  isObjectType,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';
import { DEFAULT_PAGE, MAX_PAGE } from './schema/builder.ts';

/** What one request may ask for. */
export interface QueryLimits {
  /** Levels of fields below each other. */
  readonly depth: number;
  readonly aliases: number;
  /** Fields that the answer may hold: lists and pages count with as many rows as they may have. */
  readonly cost: number;
  /** Lexical tokens of the document. */
  readonly tokens: number;
}
export const QUERY_LIMITS: QueryLimits = { depth: 14, aliases: 30, cost: 100_000, tokens: 4_000 };

/** A list without pages counts as so many rows. */
const LIST_ROWS = 5;

interface Measure {
  depth: number;
  aliases: number;
  cost: number;
}

/**
 * A validation rule that refuses what is too deep, has too many aliases or may answer with too much. Fragments count
 * wherever they are spread. (The published rules are built against another major version of graphql.)
 */
export function limitsRule(limits: QueryLimits): ValidationRule {
  return (context: ValidationContext): ASTVisitor => ({
    OperationDefinition(operation) {
      const schema = context.getSchema();
      const root = operation.operation === 'mutation' ? schema.getMutationType() : schema.getQueryType();
      const known = new Map<string, Measure>();
      const measured = root ? measure(context, operation.selectionSet, root, known, new Set()) : undefined;
      if (!measured) return;
      for (const name of ['depth', 'aliases', 'cost'] as const)
        if (measured[name] > limits[name])
          context.reportError(
            new GraphQLError(`the query's ${name} is ${measured[name]}; ${limits[name]} at most is allowed`, {
              nodes: operation,
              extensions: { code: 'request.too-complex' },
            }),
          );
    },
  });
}

function measure(
  context: ValidationContext,
  set: SelectionSetNode,
  parent: GraphQLCompositeType,
  known: Map<string, Measure>,
  open: Set<string>,
): Measure {
  const total: Measure = { depth: 0, aliases: 0, cost: 0 };
  const add = (part: Measure): void => {
    total.depth = Math.max(total.depth, part.depth);
    total.aliases += part.aliases;
    total.cost += part.cost;
  };
  for (const selection of set.selections) {
    if (selection.kind === 'Field') {
      add(measureField(context, selection, parent, known, open));
    } else if (selection.kind === 'InlineFragment') {
      const name = selection.typeCondition?.name.value;
      const type = name === undefined ? parent : context.getSchema().getType(name);
      if (isCompositeType(type)) add(measure(context, selection.selectionSet, type, known, open));
    } else {
      const fragment = context.getFragment(selection.name.value);
      if (fragment) add(measureFragment(context, fragment, known, open));
    }
  }
  return total;
}

function measureFragment(
  context: ValidationContext,
  fragment: FragmentDefinitionNode,
  known: Map<string, Measure>,
  open: Set<string>,
): Measure {
  const name = fragment.name.value;
  const before = known.get(name);
  if (before) return before;
  const type = context.getSchema().getType(fragment.typeCondition.name.value);
  // A fragment inside itself is refused by the specification's own rule.
  if (open.has(name) || !isCompositeType(type)) return { depth: 0, aliases: 0, cost: 0 };
  open.add(name);
  const measured = measure(context, fragment.selectionSet, type, known, open);
  open.delete(name);
  known.set(name, measured);
  return measured;
}

function measureField(
  context: ValidationContext,
  field: FieldNode,
  parent: GraphQLCompositeType,
  known: Map<string, Measure>,
  open: Set<string>,
): Measure {
  const aliases = field.alias ? 1 : 0;
  const definition = isObjectType(parent) ? parent.getFields()[field.name.value] : undefined;
  const type = definition && getNamedType(definition.type);
  if (!definition || !field.selectionSet || !isCompositeType(type)) {
    const deeper = field.selectionSet ? introspectionDepth(field.selectionSet) : 0;
    return { depth: 1 + deeper, aliases, cost: 1 };
  }
  const inner = measure(context, field.selectionSet, type, known, open);
  const paged = definition.args.some((argument) => argument.name === 'first');
  const rows = paged
    ? pageSize(field)
    : isListType(getNullableType(definition.type)) && !isEdges(field)
      ? LIST_ROWS
      : 1;
  return { depth: inner.depth + 1, aliases: aliases + inner.aliases, cost: 1 + rows * inner.cost };
}

/** The rows of a connection are counted at the connection itself. */
const isEdges = (field: FieldNode): boolean => field.name.value === 'edges';

function pageSize(field: FieldNode): number {
  const first = field.arguments?.find((argument) => argument.name.value === 'first')?.value;
  if (first?.kind === 'IntValue') return Math.min(MAX_PAGE, Math.max(1, Number(first.value)));
  return first === undefined ? DEFAULT_PAGE : MAX_PAGE;
}

function introspectionDepth(set: SelectionSetNode): number {
  return set.selections.reduce(
    (deepest, selection) =>
      selection.kind !== 'FragmentSpread' && selection.selectionSet
        ? Math.max(deepest, introspectionDepth(selection.selectionSet) + (selection.kind === 'Field' ? 1 : 0))
        : Math.max(deepest, 1),
    0,
  );
}
