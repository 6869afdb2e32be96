import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { FakeContext, FakeDaemon, failWith, routes } from '../testing/fake-daemon.ts';
import { commandTable } from './index.ts';
import { parseCommand } from './spec.ts';

/** Runs one command against a daemon that answers from a table. */
async function run(table: Record<string, unknown>, name: string, argv: string[] = [], stdin = '') {
  await using daemon = await FakeDaemon.open(routes(table));
  using context = new FakeContext(daemon, Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]));
  const { spec } = await commandTable[name]!.load();
  const { args, options } = parseCommand(spec, argv);
  const code = await spec.run(context, args, options as never);
  const { stdout, stderr } = context;
  return {
    code,
    stdout,
    stderr,
    requests: daemon.requests.map(decodeURIComponent),
    bodies: daemon.bodies.map(String),
  };
}

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
  const full = await run(table, 'volume create', argv);
  assert.equal(full.stdout, 'data\n');
  assert.deepEqual(JSON.parse(full.bodies[0]!), {
    Name: 'data',
    Driver: 'local',
    DriverOpts: { type: 'tmpfs', device: 'tmpfs' },
    Labels: { a: 'b' },
  });
  const plain = await run(table, 'volume create');
  assert.deepEqual(JSON.parse(plain.bodies[0]!), { Name: '', Driver: 'local', DriverOpts: {}, Labels: {} });
});

describe('volume ls', () => {
  const table = {
    'GET /volumes': { Volumes: [{ ...data, Name: 'x10', Labels: null }, data], Warnings: null },
  };

  test('shows a table, names, or what a template says', async () => {
    const list = async (...argv: string[]) => (await run(table, 'volume ls', argv)).stdout;
    assert.equal(await list(), 'DRIVER    VOLUME NAME\nlocal     data\nlocal     x10\n');
    assert.equal(await list('-q'), 'data\nx10\n');
    assert.equal(
      await list('--format', '{{.Name}} {{.Labels}} {{.Mountpoint}}'),
      'data a=b /v/data/_data\nx10  /v/data/_data\n',
    );
  });

  test('passes filters on, and may be empty', async () => {
    const filtered = await run(table, 'volume ls', ['-f', 'dangling=true']);
    assert.deepEqual(filtered.requests, ['GET /volumes?filters={"dangling":{"true":true}}']);
    const empty = await run({ 'GET /volumes': { Volumes: null } }, 'volume ls', ['-q']);
    assert.equal(empty.stdout, '');
  });
});

test('volume inspect prints everything, and names what is missing', async () => {
  const table = { 'GET /volumes/data': data, 'GET /volumes/no': failWith(404, 'get no: no such volume') };
  const found = await run(table, 'volume inspect', ['-f', '{{.Mountpoint}}', 'data']);
  assert.equal(found.stdout, '/v/data/_data\n');
  const missing = await run(table, 'volume inspect', ['data', 'no']);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /get no: no such volume/);
});

test('volume rm goes on past a failure', async () => {
  const table = {
    'DELETE /volumes/a': failWith(409, 'remove a: volume is in use - [x]'),
    'DELETE /volumes/b': done,
    'DELETE /volumes/b?force=1': done,
  };
  const result = await run(table, 'volume rm', ['a', 'b']);
  assert.deepEqual([result.code, result.stdout], [1, 'b\n']);
  assert.match(result.stderr, /volume is in use/);
  const forced = await run(table, 'volume rm', ['-f', 'b']);
  assert.deepEqual(forced.requests, ['DELETE /volumes/b?force=1']);
});

describe('volume prune', () => {
  const table = { 'POST /volumes/prune': { VolumesDeleted: ['a', 'b'], SpaceReclaimed: 1500 } };

  test('asks, and tells what went', async () => {
    const refused = await run(table, 'volume prune', [], 'n\n');
    assert.match(refused.stdout, /remove anonymous local volumes/);
    assert.deepEqual(refused.requests, []);
    const agreed = await run(table, 'volume prune', ['-a', '--filter', 'label=x'], 'y\n');
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
    assert.equal((await run(nothing, 'volume prune', ['-f'])).stdout, 'Total reclaimed space: 0B\n');
  });
});
