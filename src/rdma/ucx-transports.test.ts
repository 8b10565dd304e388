import { expect, it } from 'vitest';
import { allowsShm, allowsTcp, allowsVerbs, isRdmaAlone } from './ucx-transports.ts';

it.each([
  ['all', true],
  ['tcp', true],
  ['\\tcp', true],
  ['tcp:aux,shm', true],
  ['shm, tcp', true],
  ['^shm', true],
  ['^tcp:aux', true],
  ['^posix, tcp', true],
  ['^tcp ', true],
  ['^ tcp', true],
  ['^tcp\n', true],
  ['shm', false],
  ['^tcp', false],
  ['^shm,\\tcp', false],
  ['rc,ud', false],
])('UCX_TLS = %j opens ports of TCP: %s', (transports, isOpen) => {
  expect(allowsTcp(transports)).toBe(isOpen);
});

it.each([
  ['all', true],
  ['rc_verbs,tcp', true],
  ['\\rc_verbs', true],
  ['^tcp', true],
  ['tcp,shm', false],
])('UCX_TLS = %j uses RDMA ports: %s', (transports, isUsed) => {
  expect(allowsVerbs(transports)).toBe(isUsed);
});

it.each([
  ['all', true],
  ['tcp,posix', true],
  ['tcp,\\posix', true],
  ['sm', true],
  ['^tcp', true],
  ['tcp,sysv', false],
  ['^posix', false],
  ['^\\mm,tcp', false],
])('UCX_TLS = %j uses /dev/shm: %s', (transports, isUsed) => {
  expect(allowsShm(transports)).toBe(isUsed);
});

it.each([
  ['rc', true],
  ['\\rc_verbs,self', true],
  ['rc,tcp', false],
  ['^rc', false],
  ['self', false],
])('UCX_TLS = %j is RDMA alone: %s', (transports, isAlone) => {
  expect(isRdmaAlone(transports)).toBe(isAlone);
});
