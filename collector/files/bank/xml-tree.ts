/** An element with its children; names are local ones, without their prefix. */
export interface XmlNode {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlNode[];
  text: string;
}

/** The first element at the path of names below the node. */
export function nodeAt(node: XmlNode | undefined, path: string): XmlNode | undefined {
  let at = node;
  for (const name of path.split('/')) at = at?.children.find((child) => child.name === name);
  return at;
}

/** Every element at the path below the node. */
export function nodesAt(node: XmlNode | undefined, path: string): XmlNode[] {
  let found = node ? [node] : [];
  for (const name of path.split('/'))
    found = found.flatMap(({ children }) => children.filter((child) => child.name === name));
  return found;
}

/** The text of the first element at one of the paths that has any. */
export function textAt(node: XmlNode | undefined, ...paths: readonly string[]): string | undefined {
  for (const path of paths) {
    const text = nodeAt(node, path)?.text.trim();
    if (text) return text;
  }
  return undefined;
}
