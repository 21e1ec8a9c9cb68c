import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Language, type Node, Parser } from 'web-tree-sitter';

// Read by its path: `exports` of a package need not list its files.
const PACKAGES = join(import.meta.dirname, '../../node_modules');

export interface Parameter {
  readonly name: string;
  readonly isRequired: boolean;
  readonly isDescribed: boolean;
}

export interface Module {
  readonly symbol: string;
  /** As written, relative to the file. */
  readonly path: string;
  readonly params: readonly string[];
}

export interface Resource {
  readonly symbol: string;
  readonly type: string;
  readonly apiVersion: string;
  readonly isExisting: boolean;
  readonly text: string;
}

/** What a .bicep or .bicepparam file declares and uses. */
export interface BicepFile {
  readonly text: string;
  /** Lines on which the grammar finds fault. */
  readonly syntaxErrors: readonly number[];
  readonly params: readonly Parameter[];
  /** Of a .bicepparam: parameters that are given a value. */
  readonly assigned: readonly string[];
  readonly using: string | undefined;
  readonly modules: readonly Module[];
  readonly resources: readonly Resource[];
  readonly outputs: readonly { readonly name: string; readonly isDescribed: boolean }[];
  readonly imports: readonly { readonly path: string; readonly names: readonly string[] }[];
  readonly exported: readonly string[];
  /** Names that are declared at the top of the file, and how often each is used in it. */
  readonly declared: ReadonlyMap<string, number>;
  /** Names that are used and declared nowhere, with their lines. */
  readonly undeclared: readonly { readonly name: string; readonly line: number }[];
  /** `symbol.outputs.name` and `symbol[0].outputs.name`. */
  readonly outputsUsed: readonly {
    readonly symbol: string;
    readonly output: string;
    readonly line: number;
  }[];
  /** Keys of the objects that each variable is made of. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
  /** Arguments of loadTextContent and loadJsonContent. */
  readonly filesLoaded: readonly string[];
}

export type ParseBicep = (text: string, kind: 'bicep' | 'bicepparam') => BicepFile;

/** Loads the grammar, which is WebAssembly: the same on every platform, and nothing is downloaded or compiled. */
export async function loadBicep(): Promise<ParseBicep> {
  await Parser.init({ wasmBinary: readFileSync(join(PACKAGES, 'web-tree-sitter/web-tree-sitter.wasm')) });
  const language = await Language.load(
    readFileSync(join(PACKAGES, 'tree-sitter-bicep/tree-sitter-bicep.wasm')),
  );
  const parser = new Parser();
  parser.setLanguage(language);
  return (text, kind) => {
    const tree = parser.parse(kind === 'bicepparam' ? asBicep(text) : text);
    if (tree === null) throw new Error('The parser gave up.');
    return read(tree.rootNode, text, kind);
  };
}

/** The grammar knows no parameter files: their `param x = …` is what `var x = …` is, and as long. */
function asBicep(text: string): string {
  return text.replace(/^param(?=\s+\w+\s*=)/gm, 'var  ');
}

function read(root: Node, text: string, kind: 'bicep' | 'bicepparam'): BicepFile {
  const top = withDecorators(root);
  const of = (type: string) => top.filter(({ node }) => node.type === type);
  const symbol = (node: Node) => firstOf(node, 'identifier')?.text ?? '';
  const assignments = new Set([...text.matchAll(/^param\s+(\w+)\s*=/gm)].map((match) => match[1] ?? ''));
  const variables = of('variable_declaration').map(({ node }) => symbol(node));
  const uses = new Uses(root);
  const names = [
    ...of('parameter_declaration').map(({ node }) => symbol(node)),
    ...variables,
    ...of('module_declaration').map(({ node }) => symbol(node)),
    ...of('resource_declaration').map(({ node }) => symbol(node)),
    ...of('type_declaration').map(({ node }) => symbol(node)),
    ...of('import_functionality').flatMap(({ node }) => children(node, 'identifier').map(({ text }) => text)),
  ];
  const declared = new Map(names.map((name) => [name, uses.count(name)]));
  return {
    text,
    syntaxErrors: errorLines(root),
    params: of('parameter_declaration').map(({ node, decorators }) => ({
      name: symbol(node),
      // A default follows the type; a type that ends with `?` needs none.
      isRequired: !node.children.some((child) => child?.type === '=') && !/\?\s*$/.test(node.text),
      isDescribed: decorators.includes('description'),
    })),
    assigned: kind === 'bicepparam' ? variables.filter((name) => assignments.has(name)) : [],
    using: of('using_statement').map(({ node }) => stringIn(node))[0],
    modules: of('module_declaration').map(({ node }) => ({
      symbol: symbol(node),
      path: stringIn(node),
      params: keysOf(propertyOf(bodyOf(node), 'params')),
    })),
    resources: descendants(root, 'resource_declaration').map((node) => {
      const [type = '', apiVersion = ''] = stringIn(node).split('@');
      return {
        symbol: symbol(node),
        type,
        apiVersion,
        isExisting: node.children.some((child) => child?.type === 'existing'),
        text: node.text,
      };
    }),
    outputs: of('output_declaration').map(({ node, decorators }) => ({
      name: symbol(node),
      isDescribed: decorators.includes('description'),
    })),
    imports: of('import_functionality').map(({ node }) => ({
      path: stringIn(node),
      names: children(node, 'identifier').map(({ text }) => text),
    })),
    exported: top.filter(({ decorators }) => decorators.includes('export')).map(({ node }) => symbol(node)),
    declared,
    undeclared: uses.all.filter(({ name }) => !declared.has(name) && !FUNCTIONS.has(name)),
    outputsUsed: descendants(root, 'member_expression').flatMap(outputUse),
    keys: new Map(
      of('variable_declaration').map(({ node }) => [
        symbol(node),
        descendants(node, 'object').flatMap(keysOf),
      ]),
    ),
    filesLoaded: descendants(root, 'call_expression')
      .filter((node) => /^load(Text|Json)Content\(/.test(node.text))
      .map(stringIn),
  };
}

interface Declaration {
  readonly node: Node;
  /** Names of the decorators above it. */
  readonly decorators: readonly string[];
}

function withDecorators(root: Node): readonly Declaration[] {
  let decorators: readonly string[] = [];
  return root.namedChildren.flatMap((node) => {
    if (node === null || node.type.includes('comment')) return [];
    if (node.type === 'decorators') {
      decorators = descendants(node, 'decorator').map(({ text }) => /^@(\w+)/.exec(text)?.[1] ?? '');
      return [];
    }
    const found = { node, decorators };
    decorators = [];
    return [found];
  });
}

/** Which names a file uses, those of its own lambdas and loops left out. */
class Uses {
  readonly all: { readonly name: string; readonly line: number }[] = [];

  constructor(root: Node) {
    this.#visit(root, new Set());
  }

  count(name: string): number {
    return this.all.filter((use) => use.name === name).length;
  }

  #visit(node: Node, locals: ReadonlySet<string>): void {
    if (node.type === 'identifier') {
      if (!locals.has(node.text)) this.all.push({ name: node.text, line: node.startPosition.row + 1 });
      return;
    }
    const inner = new Set([...locals, ...localsOf(node)]);
    const declares = nameOf(node);
    for (const child of node.namedChildren) {
      if (child === null || child.id === declares?.id) continue;
      if (isImportedName(node, child)) continue;
      this.#visit(child, inner);
    }
  }
}

const DECLARATIONS = new Set([
  'parameter_declaration',
  'variable_declaration',
  'module_declaration',
  'resource_declaration',
  'output_declaration',
  'type_declaration',
  'object_property',
]);

/** The child that is the name of what a node declares, and no use of it. */
function nameOf(node: Node): Node | undefined {
  if (!DECLARATIONS.has(node.type)) return undefined;
  const [first] = node.namedChildren;
  return first?.type === 'identifier' || first?.type === 'compatible_identifier' ? first : undefined;
}

function isImportedName(node: Node, child: Node): boolean {
  return node.type === 'import_functionality' && child.type === 'identifier';
}

function localsOf(node: Node): readonly string[] {
  if (node.type === 'lambda_expression') {
    const [parameters] = node.namedChildren;
    return parameters === null || parameters === undefined
      ? []
      : [parameters, ...descendants(parameters, 'identifier')]
          .filter(({ type }) => type === 'identifier')
          .map(({ text }) => text);
  }
  if (node.type !== 'for_statement') return [];
  const initializer = node.childForFieldName('initializer');
  return [
    ...(initializer === null ? [] : [initializer.text]),
    ...children(firstOf(node, 'for_loop_parameters'), 'loop_variable').map(({ text }) => text),
    ...children(firstOf(node, 'for_loop_parameters'), 'loop_enumerator').map(({ text }) => text),
  ];
}

/** The functions of Bicep that are used here. One that is missing is reported as a name that nothing declares. */
const FUNCTIONS = new Set(
  (
    'any allowed batchSize bool cidrSubnet concat description empty environment export filter guid int items ' +
    'listKeys loadJsonContent loadTextContent map maxLength maxValue minLength minValue readEnvironmentVariable ' +
    'resourceGroup resourceId split string subscription subscriptionResourceId tenant toLower toObject union uniqueString'
  ).split(' '),
);

function outputUse(node: Node) {
  const output = node.childForFieldName('property')?.text ?? '';
  const object = node.childForFieldName('object');
  if (object?.type !== 'member_expression' || object.childForFieldName('property')?.text !== 'outputs')
    return [];
  // The grammar takes `c ? x : y!.outputs` for `(c ? x : y)!.outputs`: the last name counts.
  const symbol = /(\w+)(\[[^\]]*\])?!?$/.exec(object.childForFieldName('object')?.text ?? '')?.[1] ?? '';
  return [{ symbol, output, line: node.startPosition.row + 1 }];
}

function errorLines(root: Node): readonly number[] {
  if (!root.hasError) return [];
  const lines = descendantsWhere(root, (node) => node.isError || node.isMissing).map(
    (node) => node.startPosition.row + 1,
  );
  return lines.length === 0 ? [1] : [...new Set(lines)];
}

/** The object that describes a module, also under a condition or in a loop. */
function bodyOf(node: Node): Node | undefined {
  const value = node.namedChildren.at(-1) ?? undefined;
  if (value?.type === 'object') return value;
  if (value?.type === 'if_statement') return firstOf(value, 'object');
  const body = value?.childForFieldName('body') ?? undefined;
  return body?.type === 'if_statement' ? firstOf(body, 'object') : body;
}

function propertyOf(object: Node | undefined, key: string): Node | undefined {
  const property = children(object, 'object_property').find((each) => each.namedChildren[0]?.text === key);
  return property?.namedChildren[1] ?? undefined;
}

function keysOf(object: Node | undefined): readonly string[] {
  return children(object, 'object_property').map((each) => each.namedChildren[0]?.text ?? '');
}

function stringIn(node: Node): string {
  return descendants(node, 'string')[0]?.text.slice(1, -1) ?? '';
}

function firstOf(node: Node, type: string): Node | undefined {
  return children(node, type)[0];
}

function children(node: Node | undefined, type: string): readonly Node[] {
  return (node?.namedChildren ?? []).flatMap((child) => (child?.type === type ? [child] : []));
}

function descendants(node: Node, type: string): readonly Node[] {
  return descendantsWhere(node, (each) => each.type === type);
}

function descendantsWhere(node: Node, isWanted: (node: Node) => boolean): readonly Node[] {
  return node.children.flatMap((child) =>
    child === null ? [] : [...(isWanted(child) ? [child] : []), ...descendantsWhere(child, isWanted)],
  );
}
