/**
 * The host as a router: Seaway turns it into one and, when it ends and no container needs that any more, back into what
 * it was; but for what somebody else has changed since, or needs by now.
 */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { RawApi } from './lab/raw-api.ts';
import { openStory } from './lab/story.ts';

const keys = {
  ipv4: 'net.ipv4.ip_forward',
  redirects: 'net.ipv4.conf.all.accept_redirects',
  eth0: 'net.ipv4.conf.eth0.forwarding',
  other: 'net.ipv4.conf.lo.forwarding',
  ipv6: 'net.ipv6.conf.all.forwarding',
  eth0v6: 'net.ipv6.conf.eth0.forwarding',
  default6: 'net.ipv6.conf.default.forwarding',
} as const;
type Settings = Record<keyof typeof keys, string>;

/** A host that is no router, but for one interface; and that takes no redirects although it may. */
const fresh: Settings = {
  ...{ ipv4: '0', redirects: '0', eth0: '1', other: '0' },
  ...{ ipv6: '0', eth0v6: '1', default6: '0' },
};
const router: Settings = {
  ...{ ipv4: '1', redirects: '0', eth0: '1', other: '1' },
  ...{ ipv6: '1', eth0v6: '1', default6: '1' },
};

const lab = await openStory();
const api = new RawApi(lab);
const write = (key: keyof typeof keys, value: string) => lab.run(['sysctl', '-qw', `${keys[key]}=${value}`]);
const rules = async () => (await lab.run('nft list chain inet seaway forward')).stdout;
const keepsOthersOut = /this host was no router before/;

async function settings(): Promise<Settings> {
  const { stdout } = await lab.run(['sysctl', '-n', ...Object.values(keys)]);
  const values = stdout.trim().split('\n');
  return Object.fromEntries(Object.keys(keys).map((key, index) => [key, values[index]])) as Settings;
}

async function makeFresh(): Promise<void> {
  await write('ipv4', '0');
  await write('ipv6', '0');
  for (const key of ['redirects', 'eth0', 'eth0v6'] as const) await write(key, fresh[key]);
  assert.deepEqual(await settings(), fresh);
}

// The daemon that the story began with has seen another host.
await api.createNetwork('six', { EnableIPv6: true });
await lab.engine.stop();

beforeEach(async () => {
  await makeFresh();
  await lab.engine.start();
  assert.deepEqual(await settings(), router);
  assert.match(await rules(), keepsOthersOut);
});

test('what was before comes back at the end, and others are not kept out any more', async () => {
  await lab.engine.stop();
  assert.deepEqual(await settings(), fresh);
  assert.doesNotMatch(await rules(), keepsOthersOut);
});

test('while a container runs the host stays a router, also past a daemon that is killed', async () => {
  await api.run('box', 'six');
  await lab.engine.restart();
  assert.deepEqual(await settings(), router);
  await lab.engine.restart('SIGKILL');
  assert.match(await rules(), keepsOthersOut);
  await lab.engine.stop();
  assert.deepEqual(await settings(), router);
  assert.match(await rules(), keepsOthersOut);
  await lab.engine.start();
  await api.removeContainers('box');
  await lab.engine.kill('SIGKILL');
  assert.deepEqual(await settings(), router);
  await lab.engine.start();
  await lab.engine.stop();
  assert.deepEqual(await settings(), fresh);
});

test('what somebody has changed since stays', async () => {
  await write('eth0', '0');
  await write('redirects', '1');
  await write('eth0v6', '0');
  await lab.engine.stop();
  assert.deepEqual(await settings(), { ...fresh, eth0: '0', redirects: '1', eth0v6: '0' });

  await lab.engine.start();
  await write('ipv4', '0');
  await write('other', '1');
  await lab.engine.stop();
  assert.deepEqual(await settings(), { ...fresh, eth0: '0', redirects: '1', eth0v6: '0', other: '1' });
  assert.match(lab.engine.log(), /somebody has turned forwarding off already/);
  await write('other', '0');
});

test('it stays on where another program translates addresses by now, until that has gone', async () => {
  await lab.run('nft -f -', {
    input: 'table ip nat { chain POSTROUTING { type nat hook postrouting priority 100; }; }',
  });
  await lab.engine.stop();
  assert.deepEqual(await settings(), router);
  assert.match(lab.engine.log(), /another program translates addresses on this host/);
  await lab.engine.start();
  await lab.run('nft delete table ip nat');
  await lab.engine.stop();
  assert.deepEqual(await settings(), fresh);
});

test('a host that was a router stays one', async () => {
  await lab.engine.stop();
  await write('ipv4', '1');
  await lab.engine.start();
  await lab.engine.stop();
  assert.deepEqual(await settings(), { ...fresh, ipv4: '1', other: '1' });
});
