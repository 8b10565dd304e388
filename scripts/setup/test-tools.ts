/**
 * Builds the tools that only tests need and that no package manager of the project has: Helm, a strict decoder of
 * Kubernetes objects and a linter of workflows, made by Go where that is there, clang-format, clang-tidy, the newest UCX and
 * the previous version. Tests of a tool that is missing are skipped and say why.
 */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import {
  areClangToolsFetched,
  clangFormatVersion,
  clangTidyVersion,
  clangToolsFolder,
} from './clang-tools.ts';
import { ensureNewestUcx } from './newest-ucx.ts';
import { root } from './pinned-node.mjs';
import { hasPip, pipInstall } from './pip.ts';
import { ensurePreviousVersion } from './previous-version.ts';
import { hashOf, isStamped, writeStamp } from './stamp.mjs';
import { runStep, tail } from './steps.mjs';
import { ensureVerbsMachine } from './verbs-machine.ts';

/** The last of its line that needs no newer Go than its own go.mod says. */
const helmVersion = 'v3.22.0';
const actionlintVersion = 'v1.7.12';
/** Carries the Compose file's own schema. */
const composeVersion = 'v2.16.2';

/** Where the tests look first. */
const toolsFolder = join(root, 'build', 'tools');

type Say = (line: string) => void;

interface Step {
  readonly title: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Takes what the step wrote. */
  readonly use?: (output: string) => void;
}

export async function ensureTestTools(say: Say): Promise<void> {
  await ensureClangTools(say);
  await ensureNewestUcx(say);
  await ensureVerbsMachine(say);
  await ensurePreviousVersion(say);
  await ensureGoTools(say);
}

/** Without them the native sources' format and faults are not checked, and the suites say so. */
async function ensureClangTools(say: Say): Promise<void> {
  const stamp = join(clangToolsFolder, '.stamp');
  const versions = [`clang-format==${clangFormatVersion}`, `clang-tidy==${clangTidyVersion}`];
  if (isStamped(stamp, versions.join(' ')) && areClangToolsFetched()) {
    return say('clang-format, clang-tidy: up to date');
  }
  if (!hasPip()) {
    return say('clang-format, clang-tidy: not fetched (no pip): native sources are not checked');
  }
  if (await pipInstall('clang-format, clang-tidy', clangToolsFolder, versions)) {
    return writeStamp(stamp, versions.join(' '));
  }
  console.log("the native sources' format and faults are not checked");
}

async function ensureGoTools(say: Say): Promise<void> {
  if (!onPath('go')) {
    return say('Helm and actionlint: not made (no Go): tests of the chart are skipped');
  }
  const stamp = join(toolsFolder, '.stamp');
  const versions = [helmVersion, composeVersion, actionlintVersion].join(' ');
  const hash = hashOf(root, ['test/deploy/strict-decode'], versions);
  if (isStamped(stamp, hash)) return say('test tools: up to date');
  // A checkout of another owner has no version that Go could read.
  const env = { ...process.env, GOBIN: toolsFolder, GOFLAGS: '-buildvcs=false' };
  const steps: readonly Step[] = [
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
function takeComposeSchema(output: string): void {
  const { Dir } = JSON.parse(output.slice(output.indexOf('{'))) as { readonly Dir: string };
  copyFileSync(join(Dir, 'schema', 'compose-spec.json'), join(toolsFolder, 'compose-spec.json'));
}

function onPath(name: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.some((folder) => folder !== '' && existsSync(join(folder, name)));
}
