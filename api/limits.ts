import {
  type ASTVisitor,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  GraphQLError,
  type GraphQLField,
  getNamedType,
  getNullableType,
  isCompositeType,
  isIntrospectionType,
  isListType,
  isObjectType,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';

/** What one request may ask for. */
export interface QueryLimits {
  /** Levels of fields below each other. */
  readonly depth: number;
  readonly aliases: number;
  /**
   * Fields that the answer may hold: lists and pages count with `extensions.costRows`, which is as many rows as they may
   * have, or, where the allowance of spans watches over what is really there, a usual number.
   */
  readonly cost: number;
  /** Lexical tokens of the document. */
  readonly tokens: number;
  /** Spans, and lines of timelines, that one request may be answered with. */
  readonly spans: number;
  /** Log records that one request may be answered with. */
  readonly logs: number;
}
export const QUERY_LIMITS: QueryLimits = {
  depth: 15,
  aliases: 30,
  cost: 100_000,
  tokens: 4_000,
  spans: 10_000,
  logs: 10_000,
};

/** Rows of a page: at most, and when nothing is asked. */
export const MAX_PAGE = 200;
export const DEFAULT_PAGE = 50;

/** A list whose field does not say in `extensions.costRows` for how many rows it counts. */
const LIST_ROWS = 50;
/** A list of plain values, a value more or less of the same row. */
const LEAF_LIST = 5;

/** How many rows the lists of the schema's description of itself have on the average in ours. */
const DESCRIBED_ROWS: Readonly<Record<string, number>> = {
  types: 80,
  directives: 10,
  fields: 5,
  args: 1,
  inputFields: 1,
  interfaces: 1,
  enumValues: 2,
  possibleTypes: 1,
};

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
  const definition = definitionOf(field.name.value, parent);
  const isList = definition !== undefined && isListType(getNullableType(definition.type));
  const type = definition && getNamedType(definition.type);
  if (!definition || !field.selectionSet || !isCompositeType(type))
    return { depth: 1, aliases, cost: isList ? LEAF_LIST : 1 };
  const inner = measure(context, field.selectionSet, type, known, open);
  const rows = rowsOf(field, definition, parent, isList);
  return { depth: inner.depth + 1, aliases: aliases + inner.aliases, cost: 1 + rows * inner.cost };
}

/** The field of the type; also those that every query has, by which the schema describes itself. */
function definitionOf(
  name: string,
  parent: GraphQLCompositeType,
): GraphQLField<unknown, unknown> | undefined {
  if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef;
  if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef;
  return isObjectType(parent) ? parent.getFields()[name] : undefined;
}

/** How many rows the answer may have at this field. */
function rowsOf(
  field: FieldNode,
  definition: GraphQLField<unknown, unknown>,
  parent: GraphQLCompositeType,
  isList: boolean,
): number {
  const said = definition.extensions.costRows;
  const most = typeof said === 'number' ? said : undefined;
  if (definition.args.some(({ name }) => name === 'first')) return pageSize(field, most);
  // The rows of a connection are counted at the connection itself.
  if (!isList || field.name.value === 'edges') return 1;
  return most ?? (isIntrospectionType(parent) ? DESCRIBED_ROWS[field.name.value] : undefined) ?? LIST_ROWS;
}

/** What `first` asks for; a plain list (`most`) counts for all of its rows when it is left out. */
function pageSize(field: FieldNode, most: number | undefined): number {
  const first = field.arguments?.find((argument) => argument.name.value === 'first')?.value;
  if (first?.kind === 'IntValue') return Math.min(most ?? MAX_PAGE, Math.max(1, Number(first.value)));
  return most ?? (first === undefined ? DEFAULT_PAGE : MAX_PAGE);
}
