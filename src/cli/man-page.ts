/** seaweed-rdma(1) in roff, made of the command tree; the sections that no command tells stand here. */
import type { Command } from 'commander';
import type { CommandEntry } from './command-tree.ts';

const name = 'seaweed-rdma';

export function manPage(tree: readonly CommandEntry[], version: string): string {
  const [program, ...commands] = tree;
  if (program === undefined) throw new TypeError('a tree has a root');
  return `${[
    `.TH SEAWEED\\-RDMA 1 "" "${name} ${version}" "User Commands"`,
    '.SH NAME',
    `${escaped(name)} \\- reads of SeaweedFS over UCX: proxy, targets and tools`,
    '.SH SYNOPSIS',
    `.B ${escaped(name)}`,
    '.I command',
    '.RI [ options ]',
    '.SH DESCRIPTION',
    ...paragraphs(description),
    '.SH COMMANDS',
    ...commands.filter(({ children }) => children.length === 0).flatMap(commandSection),
    ...sections.flatMap(([title, text]) => [`.SH ${title}`, ...paragraphs(text)]),
    '.SH SEE ALSO',
    ...paragraphs(seeAlso),
  ].join('\n')}\n`;
}

/** Returns the text that `addHelpText('after')` adds to a command's help. */
export function helpAfter(command: Command): string {
  let text = '';
  const write = (more: string): void => {
    text += more;
  };
  // An event emitter, which its types do not say.
  (command as unknown as NodeJS.EventEmitter).emit('afterHelp', { error: false, command, write });
  return text.trim();
}

const description = `Stands in for a SeaweedFS volume server on each client node. The proxy answers plain needle reads from a cache that is
never stale, or over UCX (RDMA verbs, TCP, shared memory) from a target beside the volume server; everything else passes straight
through. The volume server is not modified.

Every tool takes --help with examples, and --json where it prints facts.`;

const sections: readonly (readonly [string, string])[] = [
  [
    'EXIT STATUS',
    '0: done. 1: failed, or something was found. 2: wrong usage. 69: a target, UCX or an address is unavailable. 78: the configuration is wrong.',
  ],
  [
    'ENVIRONMENT',
    `SEAWEED_RDMA__SECTION__KEY overrides a key of the configuration, as in SEAWEED_RDMA__CACHE__SIZE=1GiB.

SEAWEED_RDMA_NODE names the Node to run under. OTEL_* turn traces on. UCX_* reach UCX; rdma.device_name and rdma.tls win over
UCX_NET_DEVICES and UCX_TLS. NO_COLOR turns colours off. NOTIFY_SOCKET and WATCHDOG_USEC come from systemd.`,
  ],
  [
    'SIGNALS',
    `SIGTERM and SIGINT: requests in flight are finished within ten seconds; a second one ends at once. SIGHUP: the configuration is read anew; the log and
/stats say what took effect and what waits for a restart.`,
  ],
  [
    'FILES',
    `proxy.toml, target.toml: where --config says. "config check" reports what is wrong with them, "config schema" prints a JSON Schema
for editors.`,
  ],
];

const seeAlso =
  'weed(1), ucx_info(1), ibv_devinfo(1). The documentation is in docs/ of the package.';

function commandSection({ path, command, options, args }: CommandEntry): string[] {
  const synopsis = [name, ...path, ...args.map((each) => argumentText(each.name(), each.required))];
  const rows = options.flatMap(
    ({ flags, description: text, defaultValue, defaultValueDescription, argChoices }) => [
      '.TP',
      `.B ${escaped(flags)}`,
      escaped(
        [
          text,
          argChoices === undefined ? '' : `(${argChoices.join(', ')})`,
          defaultValue === undefined
            ? ''
            : `[default: ${defaultValueDescription ?? JSON.stringify(defaultValue)}]`,
        ]
          .filter((part) => part !== '')
          .join(' '),
      ),
    ],
  );
  const after = helpAfter(command);
  return [
    `.SS ${escaped(synopsis.join(' '))}`,
    escaped(`${command.description()}.`),
    ...(rows.length === 0 ? [] : ['.RS', ...rows, '.RE']),
    ...(after === '' ? [] : ['.PP', '.nf', ...after.split('\n').map(escaped), '.fi']),
  ];
}

function argumentText(argument: string, isRequired: boolean): string {
  return isRequired ? `<${argument}>` : `[${argument}]`;
}

function paragraphs(text: string): string[] {
  return text.split('\n\n').flatMap((each, index) => {
    const line = escaped(each.replaceAll('\n', ' '));
    return index === 0 ? [line] : ['.PP', line];
  });
}

/**
 * Escapes text for roff: characters that begin a request or an escape stand for themselves, and a hyphen stays one when
 * copied.
 */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(['.])/, '\\&$1');
}
