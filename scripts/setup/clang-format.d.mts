/** `CLANG_FORMAT` names another program; undefined: there is none. */
export function clangFormat(): string | undefined;
