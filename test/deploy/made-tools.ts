/** Programs that render and decode what is deployed. What a machine lacks is told, and what needs it is skipped. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { runCommand } from '../integration/program.ts';

export const root: string = join(import.meta.dirname, '..', '..');
/** Where scripts/setup/test-tools.ts puts them. */
const made = join(root, 'build', 'tools');

function find(name: string, variable: string): string | undefined {
  const asked = process.env[variable];
  if (asked !== undefined) return asked;
  const folders = [made, ...(process.env['PATH'] ?? '').split(delimiter)];
  const path = folders.map((folder) => join(folder, name)).find((each) => existsSync(each));
  if (path === undefined) {
    console.log(
      `skipped: there is no ${name}, neither on the PATH nor made with Go, nor in ${variable}`,
    );
  }
  return path;
}

export const helm: string | undefined = find('helm', 'HELM');
export const kustomize: readonly string[] | undefined = findKustomize();
export const strictDecode: string | undefined = find('strictdecode', 'STRICT_DECODE');
export const actionlint: string | undefined = find('actionlint', 'ACTIONLINT');
export const composeSchema: string | undefined = find('compose-spec.json', 'COMPOSE_SCHEMA');

function findKustomize(): readonly string[] | undefined {
  const kubectl = find('kubectl', 'KUBECTL');
  if (kubectl !== undefined) return [kubectl, 'kustomize'];
  const path = find('kustomize', 'KUSTOMIZE');
  return path === undefined ? undefined : [path, 'build'];
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> };
  readonly [key: string]: unknown;
}

/** Throws with what the tool says. */
export async function rendered(command: readonly string[]): Promise<readonly KubernetesObject[]> {
  const [name = '', ...args] = command;
  const { status, stdout, stderr } = await runCommand(name, args);
  if (status !== 0) throw new Error(stderr.trim());
  return parseAllDocuments(stdout)
    .filter((document) => document.contents !== null)
    .map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS() as KubernetesObject;
    });
}

export function chart(
  folder: string,
  ...more: readonly string[]
): Promise<readonly KubernetesObject[]> {
  // A Helm made by `go install` knows no Kubernetes version of its own.
  const base = ['template', 'r', folder, '--kube-version', '1.31.0', '--namespace', 'n'];
  return rendered([helm as string, ...base, ...more]);
}

/** What Kubernetes itself would refuse: unknown keys, values of another type. Kinds of others are left out. */
export function faultsByType(objects: readonly KubernetesObject[]): string {
  const input = objects.map((object) => JSON.stringify(object)).join('\n');
  const result = spawnSync(strictDecode as string, { input, encoding: 'utf8' });
  if (result.status === null) throw new Error(`strict-decode: ${result.error?.message}`);
  const count = /^(\d+) decoded$/m.exec(result.stderr)?.[1];
  return Number(count) > 0 ? result.stdout : `decoded nothing: ${result.stderr}`;
}
