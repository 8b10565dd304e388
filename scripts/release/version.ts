/** Versions, and every place outside package.json and package-lock.json that names the current one. */
import { ReleaseProblem } from './problem.ts';

export interface VersionPlace {
  readonly file: string;
  /** The text that stands before the version. */
  readonly before: string;
}

const image = 'seaweed-rdma:';

export const versionPlaces: readonly VersionPlace[] = [
  { file: 'README.md', before: image },
  { file: 'deploy/Dockerfile', before: 'ARG VERSION=' },
  { file: 'deploy/compose.yaml', before: image },
  { file: 'deploy/helm/seaweed-rdma/Chart.yaml', before: '\nversion: ' },
  { file: 'deploy/helm/seaweed-rdma/Chart.yaml', before: '\nappVersion: "' },
  { file: 'deploy/helm/seaweedfs/values.yaml', before: image },
  { file: 'deploy/kustomize/base/kustomization.yaml', before: 'newTag: ' },
  { file: 'deploy/kustomize/target/kustomization.yaml', before: 'newTag: ' },
  { file: 'docs/deploy.md', before: image },
  { file: 'docs/deploy.md', before: 'newTag: ' },
  { file: 'docs/man/seaweed-rdma.1', before: '"seaweed-rdma ' },
  { file: 'docs/openapi.json', before: '"version": "' },
];

/** MAJOR.MINOR.PATCH, with "-" and what a version before it is called. */
const pattern = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z]+(?:\.[0-9A-Za-z]+)*)?$/;

export function checkNextVersion(current: string, next: string): void {
  if (!pattern.test(next)) {
    throw new ReleaseProblem(`"${next}" is no version: write it like 1.2.3 or 1.2.3-rc.1`);
  }
  if (!isAbove(next, current)) throw new ReleaseProblem(`${next} is not above ${current}`);
}

/** With the same numbers, the version without an addition is above; two additions are not ordered here. */
function isAbove(next: string, current: string): boolean {
  const [nextCore = '', nextAddition] = next.split(/-(.*)/s);
  const [core = '', addition] = current.split(/-(.*)/s);
  const order = nextCore.localeCompare(core, 'en', { numeric: true });
  if (order !== 0) return order > 0;
  return addition !== undefined && nextAddition !== addition;
}

/** `text` is the place's whole file. */
export function withVersion(
  text: string,
  place: VersionPlace,
  change: { readonly from: string; readonly to: string },
): string {
  const named = place.before + change.from;
  // 1.2.3 is not named where 1.2.34, 1.2.3.4 or 1.2.3-rc.1 is.
  const goesOn = (at: number): boolean => /^(?:[\w-]|\.\d)/.test(text.slice(at + named.length));
  const changed = text.replaceAll(named, (same, at: number) =>
    goesOn(at) ? same : place.before + change.to,
  );
  if (changed !== text) return changed;
  throw new ReleaseProblem(`${place.file} does not name "${named.trim()}"`);
}
