/**
 * The package's public API as compilers see it: the exports of each entry and their members, from
 * the published declarations.
 */
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** The entries of the package, by subpath. */
export const ENTRIES = {
  ".": "dist/src/index.d.ts",
  "./wire": "dist/src/wire/index.d.ts",
  "./errors": "dist/src/errors/index.d.ts",
  "./bacap": "dist/src/bacap/index.d.ts",
  "./channels": "dist/src/channels/index.d.ts",
  "./daemon": "dist/src/daemon/index.d.ts",
  "./join": "dist/src/join/index.d.ts",
  "./network": "dist/src/network/index.d.ts",
  "./workers": "dist/src/workers/index.d.ts",
  "./testing": "dist/src/testing/index.d.ts",
} as const;

/** Name of an entry. */
export type Entry = keyof typeof ENTRIES;

/** The compiled view of all entries. */
export class PublicApi {
  readonly checker: ts.TypeChecker;
  readonly #program: ts.Program;

  constructor() {
    const file = ts.readConfigFile(`${root}tsconfig.node.json`, ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(file.config, ts.sys, root);
    this.#program = ts.createProgram({
      rootNames: Object.values(ENTRIES).map((path) => root + path),
      options: { ...options, noEmit: true, composite: false, incremental: false },
    });
    this.checker = this.#program.getTypeChecker();
  }

  /** The exports of an entry, by name; aliases are resolved. */
  exportsOf(entry: Entry): Map<string, ts.Symbol> {
    const source = this.#program.getSourceFile(root + ENTRIES[entry])!;
    const module = this.checker.getSymbolAtLocation(source)!;
    const exported = this.checker.getExportsOfModule(module);
    return new Map(exported.map((symbol) => [symbol.name, this.#target(symbol)]));
  }

  /** Public members of a class, interface or type alias: of instances, and static ones. */
  membersOf(symbol: ts.Symbol): ts.Symbol[] {
    const { checker } = this;
    const members: ts.Symbol[] = [];
    const isType = ts.SymbolFlags.Class | ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias;
    if (symbol.flags & isType) {
      members.push(...checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)));
    }
    if (symbol.flags & ts.SymbolFlags.Class) {
      const type = checker.getTypeOfSymbol(symbol);
      members.push(...checker.getPropertiesOfType(type));
    }
    return members.filter((member) => this.isPublic(member));
  }

  /** Whether users can access it: it is neither private nor protected. */
  isPublic(member: ts.Symbol): boolean {
    return !(member.declarations ?? []).some(
      (declaration) =>
        ts.getCombinedModifierFlags(declaration) &
          (ts.ModifierFlags.Private | ts.ModifierFlags.Protected) ||
        (ts.isClassElement(declaration) &&
          declaration.name !== undefined &&
          ts.isPrivateIdentifier(declaration.name)),
    );
  }

  #target(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(symbol) : symbol;
  }
}
