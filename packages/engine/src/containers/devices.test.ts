import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDeviceRule } from '../model/isolation.ts';
import { blockIo, deviceNumbers, givenDevices } from './devices.ts';

test('device numbers are taken apart as the C library does', () => {
  assert.deepEqual(deviceNumbers(0x103), { major: 1, minor: 3 });
  assert.deepEqual(deviceNumbers(0xae5), { major: 10, minor: 229 });
  assert.deepEqual(deviceNumbers(0x100801), { major: 8, minor: 257 });
  assert.deepEqual(deviceNumbers(0x1000 * 2 ** 32 + 0x105), { major: 4097, minor: 5 });
});

const none = { devices: [], rules: [] };
const mapping = (pathOnHost: string, pathInContainer = pathOnHost, permissions = 'rwm') => ({
  devices: [{ pathOnHost, pathInContainer, permissions }],
});

test('a device is given under the path that was asked for', async () => {
  assert.deepEqual(await givenDevices({}), none);
  const { devices, rules } = await givenDevices(mapping('/dev/null', '/dev/other', 'r'));
  assert.deepEqual(
    devices.map(({ type, path, major, minor }) => [type, path, major, minor]),
    [['c', '/dev/other', 1, 3]],
  );
  assert.deepEqual(rules, [{ allow: true, type: 'c', major: 1, minor: 3, access: 'r' }]);
});

test('a folder of devices is given with all of them', async () => {
  const { devices, rules } = await givenDevices(mapping('/dev/', '/dev/host'));
  assert.ok(
    devices.some(({ path, major, minor }) => path === '/dev/host/null' && major === 1 && minor === 3),
  );
  assert.equal(devices.length, rules.length);
});

test("a privileged container has all devices, and one that is mapped in place of the host's", async () => {
  const { devices } = await givenDevices({ ...mapping('/dev/zero', '/dev/full'), privileged: true });
  const paths = devices.map(({ path }) => path);
  assert.ok(paths.includes('/dev/null'));
  assert.equal(
    paths.some((path) => path.startsWith('/dev/pts/') || path === '/dev/console'),
    false,
  );
  assert.deepEqual(
    devices.filter(({ path }) => path === '/dev/full').map(({ minor }) => minor),
    [5],
  );
});

for (const [path, why] of [
  ['/dev/not-there', 'no such file or directory'],
  ['/etc/passwd', 'not a device node'],
] as const) {
  test(`${path}: ${why}`, () =>
    assert.rejects(givenDevices(mapping(path)), {
      kind: 'internal',
      message: `error gathering device information while adding custom device "${path}": ${why}`,
    }));
}

test('rules are read as the kernel writes them', async () => {
  assert.deepEqual(parseDeviceRule('c 1:3 rwm'), { type: 'c', major: 1, minor: 3, access: 'rwm' });
  assert.deepEqual(parseDeviceRule('a *:* r'), { type: 'a', access: 'r' });
  for (const bad of ['', 'c', 'c 1 r', 'd 1:1 r', 'c 1:1 x', 'c 1:1 rwmr', 'c 1:1 r ', 'c -1:1 r']) {
    assert.equal(parseDeviceRule(bad), undefined, bad);
    await assert.rejects(givenDevices({ deviceCgroupRules: [bad] }), {
      message: `invalid device cgroup rule format: '${bad}'`,
    });
  }
});

test('limits on block devices name them by number', async () => {
  assert.equal(await blockIo({ memoryBytes: 1 }), undefined);
  assert.deepEqual(await blockIo({ blkioWeight: 10, blkioReadBps: [{ path: '/dev/null', rate: 7 }] }), {
    weight: 10,
    throttleReadBpsDevice: [{ major: 1, minor: 3, rate: 7 }],
  });
  await assert.rejects(blockIo({ blkioReadIops: [{ path: '/dev/not-there', rate: 7 }] }), {
    message: /^\/dev\/not-there: /,
  });
});
