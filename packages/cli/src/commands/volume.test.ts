import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { failWith } from '../testing/fake-daemon.ts';
import { runCommand } from '../testing/run-command.ts';

const done = (_request: unknown, response: ServerResponse) => void response.writeHead(204).end();
const data = {
  Name: 'data',
  Driver: 'local',
  Mountpoint: '/v/data/_data',
  Labels: { a: 'b' },
  Scope: 'local',
};

test('volume create sends its options and prints the name', async () => {
  const table = { 'POST /volumes/create': data };
  const argv = ['-o', 'type=tmpfs', '-o', 'device=tmpfs', '--label', 'a=b', 'data'];
  const full = await runCommand(table, 'volume create', argv);
  assert.equal(full.stdout, 'data\n');
  assert.deepEqual(JSON.parse(full.bodies[0]!), {
    Name: 'data',
    Driver: 'local',
    DriverOpts: { type: 'tmpfs', device: 'tmpfs' },
    Labels: { a: 'b' },
  });
  const plain = await runCommand(table, 'volume create');
  assert.deepEqual(JSON.parse(plain.bodies[0]!), { Name: '', Driver: 'local', DriverOpts: {}, Labels: {} });
});

describe('volume ls', () => {
  const table = {
    'GET /volumes': { Volumes: [{ ...data, Name: 'x10', Labels: null }, data], Warnings: null },
  };

  test('shows a table, names, or what a template says', async () => {
    const list = async (...argv: string[]) => (await runCommand(table, 'volume ls', argv)).stdout;
    assert.equal(await list(), 'DRIVER    VOLUME NAME\nlocal     data\nlocal     x10\n');
    assert.equal(await list('-q'), 'data\nx10\n');
    assert.equal(
      await list('--format', '{{.Name}} {{.Labels}} {{.Mountpoint}}'),
      'data a=b /v/data/_data\nx10  /v/data/_data\n',
    );
  });

  test('passes filters on, and may be empty', async () => {
    const filtered = await runCommand(table, 'volume ls', ['-f', 'dangling=true']);
    assert.deepEqual(filtered.requests, ['GET /volumes?filters={"dangling":{"true":true}}']);
    const empty = await runCommand({ 'GET /volumes': { Volumes: null } }, 'volume ls', ['-q']);
    assert.equal(empty.stdout, '');
  });
});

test('volume inspect prints everything, and names what is missing', async () => {
  const table = { 'GET /volumes/data': data, 'GET /volumes/no': failWith(404, 'get no: no such volume') };
  const found = await runCommand(table, 'volume inspect', ['-f', '{{.Mountpoint}}', 'data']);
  assert.equal(found.stdout, '/v/data/_data\n');
  const missing = await runCommand(table, 'volume inspect', ['data', 'no']);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /get no: no such volume/);
});

test('volume rm goes on past a failure', async () => {
  const table = {
    'DELETE /volumes/a': failWith(409, 'remove a: volume is in use - [x]'),
    'DELETE /volumes/b': done,
    'DELETE /volumes/b?force=1': done,
  };
  const result = await runCommand(table, 'volume rm', ['a', 'b']);
  assert.deepEqual([result.code, result.stdout], [1, 'b\n']);
  assert.match(result.stderr, /volume is in use/);
  const forced = await runCommand(table, 'volume rm', ['-f', 'b']);
  assert.deepEqual(forced.requests, ['DELETE /volumes/b?force=1']);
});

describe('volume prune', () => {
  const table = { 'POST /volumes/prune': { VolumesDeleted: ['a', 'b'], SpaceReclaimed: 1500 } };

  test('asks, and tells what went', async () => {
    const refused = await runCommand(table, 'volume prune', [], 'n\n');
    assert.match(refused.stdout, /remove anonymous local volumes/);
    assert.deepEqual(refused.requests, []);
    const agreed = await runCommand(table, 'volume prune', ['-a', '--filter', 'label=x'], 'y\n');
    assert.match(
      agreed.stdout,
      /remove all local volumes.*Deleted Volumes:\na\nb\n\nTotal reclaimed space: 1.5kB\n$/s,
    );
    assert.deepEqual(agreed.requests, [
      'POST /volumes/prune?filters={"label":{"x":true},"all":{"true":true}}',
    ]);
  });

  test('may find nothing', async () => {
    const nothing = { 'POST /volumes/prune': { VolumesDeleted: null, SpaceReclaimed: 0 } };
    assert.equal((await runCommand(nothing, 'volume prune', ['-f'])).stdout, 'Total reclaimed space: 0B\n');
  });
});
