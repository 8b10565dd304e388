// Builds the tools that only tests need and that no package manager of the project has: Helm, a strict decoder of
// Kubernetes objects and a linter of workflows, made by Go where that is there, and clang-format. Tests of a tool that is
// missing are skipped and say why.
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ensureClangFormat } from './clang-format.mjs';
import { root } from './pinned-node.mjs';
import { hashOf, isStamped, writeStamp } from './stamp.mjs';
import { runStep, tail } from './steps.mjs';

/** The last of its line that needs no newer Go than its own go.mod says. */
const helmVersion = 'v3.22.0';
const actionlintVersion = 'v1.7.12';
/** Carries the Compose file's own schema. */
const composeVersion = 'v2.16.2';

/** Where the tests look first. */
export const toolsFolder = join(root, 'build', 'tools');

export async function ensureTestTools(say) {
  await ensureClangFormat(say);
  await ensureGoTools(say);
}

async function ensureGoTools(say) {
  if (!onPath('go')) {
    return say('Helm and actionlint: not made (no Go): tests of the chart are skipped');
  }
  const stamp = join(toolsFolder, '.stamp');
  const versions = [helmVersion, composeVersion, actionlintVersion].join(' ');
  const hash = hashOf(root, ['test/deploy/strict-decode'], versions);
  if (isStamped(stamp, hash)) return say('test tools: up to date');
  // A checkout of another owner has no version that Go could read.
  const env = { ...process.env, GOBIN: toolsFolder, GOFLAGS: '-buildvcs=false' };
  const steps = [
    {
      title: 'Helm (go install; minutes, once)',
      args: ['install', '-ldflags=-s -w', `helm.sh/helm/v3/cmd/helm@${helmVersion}`],
      cwd: root,
    },
    {
      title: 'a decoder of Kubernetes objects (go install)',
      args: ['install', '-ldflags=-s -w', '.'],
      cwd: join(root, 'test', 'deploy', 'strict-decode'),
    },
    {
      title: 'actionlint (go install)',
      args: [
        'install',
        '-ldflags=-s -w',
        `github.com/rhysd/actionlint/cmd/actionlint@${actionlintVersion}`,
      ],
      cwd: root,
    },
    {
      title: "the Compose file's schema (go mod download)",
      args: ['mod', 'download', '-json', `github.com/compose-spec/compose-go/v2@${composeVersion}`],
      cwd: root,
      use: takeComposeSchema,
    },
  ];
  mkdirSync(toolsFolder, { recursive: true });
  let areAllThere = true;
  for (const { title, args, cwd, use } of steps) {
    const { ok, output } = await runStep(title, 'go', args, { env, cwd });
    if (ok) {
      use?.(output);
      continue;
    }
    areAllThere = false;
    console.error(tail(output));
    console.log('the tests that need it will be skipped');
  }
  if (areAllThere) writeStamp(stamp, hash);
}

/** Out of what `go mod download -json` says, after lines about its progress. */
function takeComposeSchema(output) {
  const { Dir } = JSON.parse(output.slice(output.indexOf('{')));
  copyFileSync(join(Dir, 'schema', 'compose-spec.json'), join(toolsFolder, 'compose-spec.json'));
}

function onPath(name) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => folder !== '' && existsSync(join(folder, name)));
}
