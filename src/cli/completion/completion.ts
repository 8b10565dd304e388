/** Shell completion, made of the command tree: one script for each shell, nothing is asked of the program later. */
import { type CommandEntry, takesPath, takesValue } from '../command-tree.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const name = 'seaweed-rdma';

export function completionScript(shell: Shell, tree: readonly CommandEntry[]): string {
  if (shell === 'bash') return bashScript(tree);
  return shell === 'zsh' ? zshScript(tree) : fishScript(tree);
}

/** Flags of an option: `--json`, `-V`. */
function flagsOf({ options }: CommandEntry): string[] {
  return options.flatMap(({ long, short }) => [long, short].filter((flag) => flag !== undefined));
}

function keyOf({ path }: CommandEntry): string {
  return path.join(' ');
}

function argumentChoices({ args }: CommandEntry): readonly string[] {
  return args.flatMap((argument) => argument.argChoices ?? []);
}

/** The words that lead to a command, whatever options stand between them. */
const walk = (words: string, first: number): string => `
  local key="" word next i
  for ((i = ${first}; i < current; i++)); do
    word="\${${words}[i]}"
    next="\${key:+$key }$word"
    case "$next" in
      COMMANDS) key="$next" ;;
    esac
  done`;

function walkWith(tree: readonly CommandEntry[], words: string, first: number): string {
  const known = tree.filter(({ path }) => path.length > 0).map((entry) => `"${keyOf(entry)}"`);
  return walk(words, first).replace('COMMANDS', known.join('|'));
}

/** `case` branches over "command --option": what the option's value may be. */
function valueCases(tree: readonly CommandEntry[], offer: (choices: string) => string): string {
  const rows = tree.flatMap((entry) =>
    entry.options.filter(takesValue).map((option) => {
      const patterns = [option.long, option.short]
        .filter((flag) => flag !== undefined)
        .map((flag) => `"${keyOf(entry)} ${flag}"`);
      const { argChoices: choices } = option;
      const action = choices === undefined ? valueAction(option.flags) : offer(choices.join(' '));
      return `    ${patterns.join('|')}) ${action} ;;`;
    }),
  );
  return rows.join('\n');
}

function valueAction(flags: string): string {
  return takesPath(flags) ? 'files; return' : 'return';
}

function wordCases(tree: readonly CommandEntry[], offer: (words: string) => string): string {
  return tree
    .map((entry) => {
      const words = [...entry.children, ...argumentChoices(entry)].join(' ');
      const arg = entry.args.some((argument) => takesPath(argument.name())) ? '; files' : '';
      return `    "${keyOf(entry)}") ${words === '' ? ':' : offer(words)}${arg} ;;`;
    })
    .join('\n');
}

function flagCases(tree: readonly CommandEntry[], offer: (words: string) => string): string {
  return tree
    .map((entry) => `    "${keyOf(entry)}") ${offer(flagsOf(entry).join(' '))} ;;`)
    .join('\n');
}

/** The part that bash and zsh share, once they know the command: a value, a flag or a word is offered. */
function cases(tree: readonly CommandEntry[], offer: (words: string) => string): string {
  return `  case "$key $before" in
${valueCases(tree, (choices) => `${offer(choices)}; return`)}
  esac
  if [[ $word_now == -* ]]; then
    case "$key" in
${flagCases(tree, offer)}
    esac
    return
  fi
  case "$key" in
${wordCases(tree, offer)}
  esac
`;
}

function bashScript(tree: readonly CommandEntry[]): string {
  const offer = (words: string): string => `COMPREPLY+=($(compgen -W "${words}" -- "$word_now"))`;
  return `# bash completion for ${name}: source <(${name} completion bash)
_seaweed_rdma() {
  local word_now="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}" current=$COMP_CWORD
  COMPREPLY=()
  files() { compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$word_now")); }
${walkWith(tree, 'COMP_WORDS', 1)}
${cases(tree, offer)}}
complete -F _seaweed_rdma ${name}
`;
}

function zshScript(tree: readonly CommandEntry[]): string {
  const offer = (words: string): string => `compadd -- ${words}`;
  return `#compdef ${name}
# zsh completion for ${name}: ${name} completion zsh > "\${fpath[1]}/_${name}"
_seaweed_rdma() {
  local word_now="\${words[CURRENT]}" before="\${words[CURRENT - 1]}" current=$CURRENT
  files() { _files }
${walkWith(tree, 'words', 2)}
${cases(tree, offer)}}
if [ "$funcstack[1]" = "_${name}" ]; then _seaweed_rdma "$@"; else compdef _seaweed_rdma ${name}; fi
`;
}

function fishScript(tree: readonly CommandEntry[]): string {
  const lines = tree.flatMap((entry) => [
    ...entry.command.commands.map((child) =>
      fishLine(conditionOf(entry), `-f -a ${child.name()} -d ${fishText(child.description())}`),
    ),
    ...argumentChoices(entry).map((choice) => fishLine(conditionOf(entry), `-f -a ${choice}`)),
    ...entry.options.map((option) => {
      const flag = [
        option.long === undefined ? '' : `-l ${option.long.slice(2)}`,
        option.short === undefined ? '' : `-s ${option.short.slice(1)}`,
      ].join(' ');
      const value = takesValue(option) ? ` -r${takesPath(option.flags) ? ' -F' : ' -f'}` : '';
      const choices = option.argChoices?.join(' ');
      const offered = choices === undefined ? '' : ` -a ${fishText(choices)}`;
      const text = `${flag.trim()}${value}${offered} -d ${fishText(option.description)}`;
      return fishLine(conditionOf(entry), text);
    }),
  ]);
  return `# fish completion for ${name}: ${name} completion fish > ~/.config/fish/completions/${name}.fish
${lines.join('\n')}
`;
}

function conditionOf({ path, children }: CommandEntry): string {
  if (path.length === 0) return '__fish_use_subcommand';
  const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
  if (children.length === 0) return seen;
  return `${seen}; and not __fish_seen_subcommand_from ${children.join(' ')}`;
}

function fishLine(condition: string, rest: string): string {
  return `complete -c ${name} -n ${fishText(condition)} ${rest}`;
}

function fishText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
