/**
 * Every field and method that a user of the package can reach: the members of the entries' exports,
 * and of all types that those return or accept, including inline records and parameters.
 */
import ts from "typescript";
import { ENTRIES, type Entry, type PublicApi } from "./public-api.js";

/** A member of a public type. */
export interface PublicMember {
  /** The place of its declaration, and its name with those of the enclosing types. */
  readonly place: string;
  readonly name: string;
  readonly isMethod: boolean;
  /** The text of its own comment, or of the member from which it inherits its meaning. */
  readonly words: string;
  /** Tags of the comment: `throws`, `internal` and so on. */
  readonly tags: readonly string[];
}

/** Visits every type once. */
class Walk {
  readonly found = new Map<ts.Declaration, PublicMember>();
  readonly #api: PublicApi;
  readonly #seen = new Set<ts.Type>();

  constructor(api: PublicApi) {
    this.#api = api;
  }

  visitExport(symbol: ts.Symbol): void {
    const { checker } = this.#api;
    const { Class, Interface, TypeAlias, Variable, Function } = ts.SymbolFlags;
    if (symbol.flags & (Class | Interface | TypeAlias)) {
      this.#visit(checker.getDeclaredTypeOfSymbol(symbol));
    }
    if (symbol.flags & (Class | Variable | Function)) this.#visit(checker.getTypeOfSymbol(symbol));
  }

  #visit(type: ts.Type): void {
    if (this.#seen.has(type)) return;
    this.#seen.add(type);
    const { checker } = this.#api;
    if (type.isUnionOrIntersection()) {
      for (const part of type.types) this.#visit(part);
      return;
    }
    if (!(type.flags & ts.TypeFlags.Object)) return;
    for (const part of checker.getTypeArguments(type as ts.TypeReference)) this.#visit(part);
    for (const member of checker.getPropertiesOfType(type)) this.#visitMember(member);
    for (const { type: value } of checker.getIndexInfosOfType(type)) this.#visit(value);
    for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
      if (!isOurs(signature.getDeclaration()) || isInternal(signature.getJsDocTags())) continue;
      this.#visit(signature.getReturnType());
      for (const parameter of signature.getParameters()) {
        this.#visit(checker.getTypeOfSymbol(parameter));
      }
    }
  }

  #visitMember(member: ts.Symbol): void {
    const declaration = member.declarations?.[0];
    if (!isOurs(declaration) || !this.#api.isPublic(member)) return;
    const { checker } = this.#api;
    // Users are told not to use it, so its parameters and results are internal too.
    if (isInternal(member.getJsDocTags(checker))) return;
    this.found.set(declaration, {
      place: placeOf(declaration),
      name: member.name,
      isMethod: (member.flags & ts.SymbolFlags.Method) !== 0,
      words: ts.displayPartsToString(member.getDocumentationComment(checker)),
      tags: member.getJsDocTags(checker).map((tag) => tag.name),
    });
    this.#visit(checker.getTypeOfSymbol(member));
  }
}

function isInternal(tags: readonly ts.JSDocTagInfo[]): boolean {
  return tags.some(({ name }) => name === "internal");
}

function isOurs(declaration: ts.Declaration | undefined): declaration is ts.Declaration {
  return declaration?.getSourceFile().fileName.includes("/dist/src/") ?? false;
}

function placeOf(declaration: ts.Declaration): string {
  const source = declaration.getSourceFile();
  const names: string[] = [];
  for (let node: ts.Node = declaration; !ts.isSourceFile(node); node = node.parent) {
    const { name } = node as ts.NamedDeclaration;
    if (name) names.unshift(name.getText(source));
  }
  const { line } = source.getLineAndCharacterOfPosition(declaration.getStart(source));
  const file = source.fileName.replace(/^.*\/dist\/src\//, "");
  return `${file}:${line + 1} ${names.join(".")}`;
}

/** The members that can be reached from any entry. */
export function publicMembers(api: PublicApi): PublicMember[] {
  const walk = new Walk(api);
  for (const entry of Object.keys(ENTRIES) as Entry[]) {
    for (const symbol of api.exportsOf(entry).values()) walk.visitExport(symbol);
  }
  return [...walk.found.values()];
}
