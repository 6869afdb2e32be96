/**
 * Testcontainers for Node, unchanged, against the engine. It reaches published ports at `localhost`, so the program that
 * uses it, `clients/testcontainers.ts`, runs on the lab's host.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openStory } from './lab/story.ts';

const lab = await openStory();
const program = fileURLToPath(new URL('clients/testcontainers.ts', import.meta.url));

test('Testcontainers for Node', async () => {
  const { code, stdout, stderr } = await lab.run(
    [process.execPath, '--test-reporter=spec', '--test-timeout=15000', program],
    {
      env: {
        ...lab.env,
        DOCKER_HOST: `unix://${lab.engine.socket}`,
        // Its janitor is an image of a registry.
        TESTCONTAINERS_RYUK_DISABLED: 'true',
      },
      allowFailure: true,
    },
  );
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /^ℹ fail 0$/m);
  assert.ok(Number(/^ℹ pass (\d+)$/m.exec(stdout)?.[1]) > 5, stdout);
});

test('nothing of it is left', async () => {
  assert.deepEqual((await lab.api('GET', '/containers/json?all=1')).json, []);
  const networks = (await lab.api<{ Name: string }[]>('GET', '/networks')).json;
  assert.deepEqual(networks.map(({ Name }) => Name).sort(), ['bridge', 'host', 'none']);
});
