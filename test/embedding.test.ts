/**
 * A program of one's own embeds the engine: the example does what it says, and leaves nothing running.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Lab } from './lab/lab.ts';
import { busyboxRootfs } from './lab/rootfs.ts';

const example = fileURLToPath(new URL('../examples/embed.ts', import.meta.url));

test('the example runs two containers without a daemon and removes them', async () => {
  await using lab = await Lab.create();
  const rootfs = join(lab.directory, 'rootfs.tar');
  await writeFile(rootfs, await busyboxRootfs());
  const { stdout } = await lab.run([process.execPath, example, rootfs, '/run/embedded', `/${lab.id}`]);
  assert.match(stdout, /^web listens on 172\.17\.0\.2\n/);
  assert.match(stdout, /the client ended with 0 and wrote:\n.*hello from the container/s);

  assert.equal(
    (await lab.run('ls /run/embedded/data/containers /run/embedded/exec/netns')).stdout.match(/[0-9a-f]{12}/),
    null,
  );
  assert.doesNotMatch((await lab.run('ip -br link')).stdout, /veth/);
  assert.doesNotMatch((await lab.run('ps -A -o comm=')).stdout, /conmon|runc|httpd/);
});
