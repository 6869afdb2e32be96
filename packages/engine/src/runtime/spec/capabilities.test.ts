import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../../base/errors.ts';
import {
  allCapabilities,
  defaultCapabilities,
  parseCapabilityMask,
  resolveCapabilities,
} from './capabilities.ts';

test('a container gets the fourteen defaults', () => {
  assert.equal(defaultCapabilities.length, 14);
  assert.deepEqual(resolveCapabilities(), defaultCapabilities);
});

test('names are accepted with and without the prefix, in any case', () => {
  const added = resolveCapabilities({ add: ['net_admin', 'CAP_SYS_PTRACE', 'cap_sys_time'] });
  assert.deepEqual(
    added.filter((name) => !defaultCapabilities.includes(name)),
    ['CAP_NET_ADMIN', 'CAP_SYS_PTRACE', 'CAP_SYS_TIME'],
  );
});

test('dropping removes, and wins over adding the same name', () => {
  const names = resolveCapabilities({ add: ['SYS_ADMIN'], drop: ['mknod', 'SYS_ADMIN'] });
  assert.equal(names.includes('CAP_MKNOD'), false);
  assert.equal(names.includes('CAP_SYS_ADMIN'), false);
  assert.equal(names.length, 13);
});

test('drop ALL with an addition leaves just the addition', () => {
  assert.deepEqual(resolveCapabilities({ add: ['CHOWN'], drop: ['ALL'] }), ['CAP_CHOWN']);
  assert.deepEqual(resolveCapabilities({ drop: ['all'] }), []);
});

test('add ALL gives all but what is dropped', () => {
  const names = resolveCapabilities({ add: ['ALL'], drop: ['SYS_ADMIN'] });
  assert.deepEqual(
    names,
    allCapabilities.filter((name) => name !== 'CAP_SYS_ADMIN'),
  );
});

test('privileged gives everything whatever is dropped', () => {
  assert.deepEqual(resolveCapabilities({ privileged: true, drop: ['ALL'] }), [...allCapabilities]);
});

test('ALL and privileged stay inside what is available', () => {
  const available = allCapabilities.filter((name) => name !== 'CAP_SYS_RESOURCE');
  assert.deepEqual(resolveCapabilities({ privileged: true, available }), available);
  assert.deepEqual(resolveCapabilities({ add: ['ALL'], available }), available);
  assert.throws(
    () => resolveCapabilities({ add: ['SYS_RESOURCE'], available }),
    (error) => error instanceof EngineError && error.kind === 'invalid',
  );
});

test('an unknown name is refused, also when privileged', () => {
  for (const request of [{ add: ['NET_ADMINN'] }, { drop: ['CAP_'], privileged: true }, { add: [''] }]) {
    assert.throws(
      () => resolveCapabilities(request),
      (error) =>
        error instanceof EngineError && error.kind === 'invalid' && /unknown capability/.test(error.message),
    );
  }
});

test('a bounding set mask is read in the order of the numbers', () => {
  assert.deepEqual(parseCapabilityMask('00000000a80425fb'), defaultCapabilities);
  assert.deepEqual(parseCapabilityMask('000001ffffffffff\n'), [...allCapabilities]);
});
