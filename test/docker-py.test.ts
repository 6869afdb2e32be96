/** docker-py, the usual client in Python, unchanged: `clients/docker_py.py` does what its users do. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from './lab/command.ts';
import { encodeDockerArchive } from './lab/docker-archive.ts';
import { busyboxRootfs } from './lab/rootfs.ts';
import { openStory } from './lab/story.ts';

const lab = await openStory();
const program = fileURLToPath(new URL('clients/docker_py.py', import.meta.url));

before(() => {
  const archive = encodeDockerArchive('loaded:1', [busyboxRootfs()], { Cmd: ['echo', 'from an archive'] });
  writeFileSync(join(lab.directory, 'loaded.tar'), archive);
});

test('docker-py', async () => {
  // Debian's own Python: another one on the path does not have the package.
  const { code, stderr } = await runCommand(['/usr/bin/python3', '-B', program], {
    env: { ...lab.env, DOCKER_HOST: `unix://${lab.engine.socket}` },
    cwd: lab.directory,
    allowFailure: true,
  });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /\nOK\n$/);
  assert.ok(Number(/^Ran (\d+) tests/m.exec(stderr)?.[1]) > 8, stderr);
});

test('nothing of it is left', async () => {
  assert.deepEqual((await lab.api('GET', '/containers/json?all=1')).json, []);
  const networks = (await lab.api<{ Name: string }[]>('GET', '/networks')).json;
  assert.deepEqual(networks.map(({ Name }) => Name).sort(), ['bridge', 'host', 'none']);
});
