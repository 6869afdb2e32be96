import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { FakeContext, FakeDaemon, failWith, routes } from '../testing/fake-daemon.ts';
import { commandTable } from './index.ts';
import { parseCommand } from './spec.ts';
import { splitReference } from './tag.ts';

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
  requests: string[];
  bodies: string[];
}

/** Runs one command against a daemon that answers from a table. */
async function run(
  table: Record<string, unknown>,
  name: string,
  argv: string[] = [],
  stdin = '',
): Promise<Outcome> {
  await using daemon = await FakeDaemon.open(routes(table));
  using context = new FakeContext(daemon, Readable.from([Buffer.from(stdin)]));
  const { spec } = await commandTable[name]!.load();
  const { args, options } = parseCommand(spec, argv);
  const code = await spec.run(context, args, options as never);
  const { stdout, stderr } = context;
  return { code, stdout, stderr, requests: daemon.requests, bodies: daemon.bodies.map(String) };
}

const done = (_request: unknown, response: ServerResponse) => void response.writeHead(204).end();

test('run -d creates, starts, and prints the id', async () => {
  const table = {
    'POST /containers/create': { Id: 'abc', Warnings: ['careful'] },
    'POST /containers/abc/start': done,
  };
  const { code, stdout, stderr, requests, bodies } = await run(table, 'run', [
    '-d',
    '--name',
    'web',
    'busybox',
    'sh',
  ]);
  assert.deepEqual([code, stdout, stderr], [0, 'abc\n', 'seaway: warning: careful\n']);
  assert.deepEqual(requests, ['POST /containers/create?name=web', 'POST /containers/abc/start']);
  assert.deepEqual(JSON.parse(bodies[0]!).Cmd, ['sh']);
});

test('run pulls a missing image once, and says why it could not', async () => {
  let creates = 0;
  const table = {
    'POST /containers/create': (request: never, response: ServerResponse, body: never) => {
      creates += 1;
      if (creates > 1) response.end('{"Id":"abc"}');
      else failWith(404, 'No such image: r.example/a:latest')(request, response, body);
    },
    'POST /images/create': { status: 'Pulling from a', id: 'latest' },
    'POST /containers/abc/start': done,
  };
  const { requests, stderr } = await run(table, 'run', ['-d', 'r.example/a']);
  assert.equal(stderr, 'seaway: image r.example/a is not here: pulling it\nlatest: Pulling from a\n');
  assert.deepEqual(requests.slice(0, 3), [
    'POST /containers/create',
    'POST /images/create?fromImage=r.example%2Fa&tag=latest',
    'POST /containers/create',
  ]);
  const missing = {
    'POST /containers/create': failWith(404, 'No such image: nope:latest'),
    'POST /images/create': failWith(404, 'pull access denied for nope'),
  };
  await assert.rejects(run(missing, 'run', ['nope']), {
    message: 'pull access denied for nope',
    exitCode: 125,
  });
  const other = { 'POST /containers/create': failWith(404, 'network x not found') };
  await assert.rejects(run(other, 'run', ['nope']), { message: 'network x not found', exitCode: 125 });
});

test('pull, push and save ask for what was meant, and print steps without bytes', async () => {
  const pulled = {
    'POST /images/create': { status: 'Downloading', id: 'x', progressDetail: { current: 1 } },
  };
  const pull = async (...argv: string[]) => (await run(pulled, 'pull', argv)).requests;
  assert.deepEqual(await pull('a'), ['POST /images/create?fromImage=a&tag=latest']);
  assert.deepEqual(await pull('-a', 'h:1/a'), ['POST /images/create?fromImage=h%3A1%2Fa']);
  assert.deepEqual(await pull('a@sha256:1', '--platform=linux/arm64'), [
    'POST /images/create?fromImage=a%40sha256%3A1&platform=linux%2Farm64',
  ]);
  assert.equal((await run(pulled, 'pull', ['a'])).stdout, '');
  assert.equal((await run(pulled, 'pull', ['-q', 'a'])).stdout, 'a\n');
  const pushed = { 'POST /images/h:1/a/push': { status: '1: digest: x size: 1' } };
  const push = await run(pushed, 'push', ['h:1/a:2']);
  assert.deepEqual(
    [push.requests, push.stdout],
    [['POST /images/h:1/a/push?tag=2'], '1: digest: x size: 1\n'],
  );
  await assert.rejects(run({ 'POST /images/a/push': { error: 'no' } }, 'push', ['a']), /^Error: no$/);
  const save = await run({ 'GET /images/get': { an: 'archive' } }, 'save', ['a', 'b:1']);
  assert.deepEqual(
    [save.requests, save.stdout],
    [['GET /images/get?names=a&names=b%3A1'], '{"an":"archive"}'],
  );
  await assert.rejects(
    run({ 'GET /images/get': {} }, 'save', ['-o', '/nonexistent/a.tar', 'a']),
    /cannot write \/nonexistent\/a\.tar: /,
  );
});

test('run with a terminal needs one', async () => {
  await assert.rejects(run({}, 'run', ['-it', 'busybox']), {
    message: /stdin is not a terminal/,
    exitCode: 1,
  });
});

test('create prints the id and starts nothing', async () => {
  const { stdout, requests } = await run({ 'POST /containers/create': { Id: 'abc' } }, 'create', ['busybox']);
  assert.deepEqual([stdout, requests], ['abc\n', ['POST /containers/create']]);
});

test('one failing target does not keep the others from being done, in their order', async () => {
  const table = {
    'DELETE /containers/a': done,
    'DELETE /containers/b': failWith(409, 'b runs'),
    'DELETE /containers/c': done,
  };
  const { code, stdout, stderr, requests } = await run(table, 'rm', ['-fv', 'a', 'b', 'c']);
  assert.deepEqual([code, stdout, stderr], [1, 'a\nc\n', 'seaway: b runs\n']);
  assert.deepEqual(
    requests.toSorted(),
    ['a', 'b', 'c'].map((name) => `DELETE /containers/${name}?force=1&v=1`),
  );
});

test('stop, kill, start and rename send what was asked for', async () => {
  const table = {
    'POST /containers/a/stop': done,
    'POST /containers/a/kill': done,
    'POST /containers/a/start': done,
    'POST /containers/a/rename': done,
  };
  const sent = async (name: string, ...argv: string[]) => (await run(table, name, argv)).requests;
  assert.deepEqual(await sent('stop', '-t', '3', '-s', 'INT', 'a'), [
    'POST /containers/a/stop?signal=INT&t=3',
  ]);
  assert.deepEqual(await sent('kill', '-s', 'HUP', 'a'), ['POST /containers/a/kill?signal=HUP']);
  assert.deepEqual(await sent('kill', 'a'), ['POST /containers/a/kill']);
  assert.deepEqual(await sent('start', 'a'), ['POST /containers/a/start']);
  assert.deepEqual(await sent('rename', 'a', 'b'), ['POST /containers/a/rename?name=b']);
});

test('port shows where the host answers, by number', async () => {
  const table = {
    'GET /containers/web/json': {
      NetworkSettings: {
        Ports: {
          '443/tcp': [{ HostIp: '0.0.0.0', HostPort: '443' }],
          '80/tcp': [
            { HostIp: '::', HostPort: '8080' },
            { HostIp: '0.0.0.0', HostPort: '8080' },
          ],
          '80/udp': [{ HostIp: '::1', HostPort: '1080' }],
          '53/udp': null,
        },
      },
    },
    'GET /containers/stopped/json': { NetworkSettings: { Ports: {} } },
  };
  const show = async (...argv: string[]) => {
    const { code, stdout } = await run(table, 'port', argv);
    assert.equal(code, 0);
    return stdout.split('\n').slice(0, -1);
  };
  assert.deepEqual(await show('web'), [
    '80/tcp -> 0.0.0.0:8080',
    '80/tcp -> [::]:8080',
    '80/udp -> [::1]:1080',
    '443/tcp -> 0.0.0.0:443',
  ]);
  for (const port of ['80', '80/tcp', '80/TCP', '80/']) {
    assert.deepEqual(await show('web', port), ['0.0.0.0:8080', '[::]:8080']);
  }
  assert.deepEqual(await show('web', '80/udp'), ['[::1]:1080']);
  assert.deepEqual(await show('stopped'), []);
  for (const [port, message] of [
    ['53/udp', "no public port '53/udp' published for web"],
    ['81', "no public port '81' published for web"],
    ['http', 'invalid port (http)'],
    ['65536', 'invalid port (65536)'],
  ] as const) {
    await assert.rejects(run(table, 'port', ['web', port]), { name: 'CliError', message, exitCode: 1 });
  }
  await assert.rejects(run(table, 'port', ['stopped', '80']), /no public port '80' published for stopped/);
});

test('attaching to several containers at once is refused', async () => {
  await assert.rejects(run({}, 'start', ['-a', 'a', 'b']), /multiple containers/);
});

test('wait prints exit codes, and a failed wait as a complaint', async () => {
  const table = {
    'POST /containers/a/wait': { StatusCode: 7 },
    'POST /containers/b/wait': { StatusCode: 125, Error: { Message: 'lost it' } },
  };
  const { code, stdout, stderr } = await run(table, 'wait', ['a', 'b']);
  assert.deepEqual([code, stdout, stderr], [1, '7\n', 'seaway: lost it\n']);
});

test('logs tells the streams apart unless there is a terminal', async () => {
  const framed = Buffer.from([1, 0, 0, 0, 0, 0, 0, 2, 111, 10, 2, 0, 0, 0, 0, 0, 0, 2, 101, 10]);
  const table = (Tty: boolean) => ({
    'GET /containers/a/json': { Config: { Tty } },
    'GET /containers/a/logs': (_request: unknown, response: ServerResponse) =>
      response.end(Tty ? 'raw\r\n' : framed),
  });
  const plain = await run(table(false), 'logs', ['-t', '--tail', '5', '-f', 'a']);
  assert.deepEqual([plain.stdout, plain.stderr], ['o\n', 'e\n']);
  assert.equal(plain.requests[1], 'GET /containers/a/logs?stdout=1&stderr=1&follow=1&tail=5&timestamps=1');
  assert.equal((await run(table(true), 'logs', ['a'])).stdout, 'raw\r\n');
});

test('logs that break off are an error, not an end', async () => {
  const table = {
    'GET /containers/a/json': { Config: { Tty: true } },
    'GET /containers/a/logs': (_request: unknown, response: ServerResponse) => {
      response.write('half');
      setTimeout(() => response.destroy(), 20);
    },
  };
  await assert.rejects(run(table, 'logs', ['a']), /the connection to the daemon was lost/);
});

const container = {
  Id: 'c'.repeat(64),
  Names: ['/web'],
  Image: 'busybox',
  ImageID: `sha256:${'d'.repeat(64)}`,
  Command: 'sh',
  Created: 1_700_000_000,
  Ports: [],
  Labels: {},
  State: 'running',
  Status: 'Up About a minute',
};

test("ps prints docker's columns", async () => {
  const { stdout, requests } = await run({ 'GET /containers/json': [container] }, 'ps', ['-a']);
  assert.equal(
    stdout,
    'CONTAINER ID   IMAGE     COMMAND   CREATED              STATUS              PORTS     NAMES\n' +
      'cccccccccccc   busybox   "sh"      About a minute ago   Up About a minute             web\n',
  );
  assert.deepEqual(requests, ['GET /containers/json?all=1']);
});

test('ps passes filters and limits on', async () => {
  const table = { 'GET /containers/json': [container] };
  const { requests, stdout } = await run(table, 'ps', ['-q', '--no-trunc', '-n', '3', '-f', 'name=web']);
  assert.equal(
    decodeURIComponent(requests[0]!),
    'GET /containers/json?limit=3&filters={"name":{"web":true}}',
  );
  assert.equal(stdout, `${'c'.repeat(64)}\n`);
});

test('images filters by reference', async () => {
  const image = {
    Id: `sha256:${'d'.repeat(64)}`,
    RepoTags: ['busybox:1'],
    Created: 1_700_000_000,
    Size: 1000,
  };
  const { requests, stdout } = await run({ 'GET /images/json': [image] }, 'images', [
    'busybox',
    '--format',
    '{{.Repository}} {{.Size}}',
  ]);
  assert.equal(decodeURIComponent(requests[0]!), 'GET /images/json?filters={"reference":{"busybox":true}}');
  assert.equal(stdout, 'busybox 1kB\n');
});

test('network ls sorts by name as people count', async () => {
  const network = (Name: string) => ({
    Id: `${Name}-id`,
    Name,
    Driver: 'bridge',
    Scope: 'local',
    Created: '2026-01-01T00:00:00Z',
    EnableIPv6: false,
    Internal: false,
    Labels: null,
  });
  const table = { 'GET /networks': ['n10', 'n9', 'bridge'].map(network) };
  assert.equal((await run(table, 'network ls', ['--format', '{{.Name}}'])).stdout, 'bridge\nn9\nn10\n');
});

test('inspect looks for a container, an image, then a network', async () => {
  const table = {
    'GET /containers/c/json': { Id: 1 },
    'GET /images/a/b:1/json': { Id: 2 },
    'GET /networks/n': { Id: 3 },
  };
  const { code, stdout, stderr } = await run(table, 'inspect', ['-f', '{{.Id}}', 'c', 'a/b:1', 'n', 'x']);
  assert.deepEqual([code, stdout, stderr], [1, '1\n2\n3\n', 'seaway: No such object: x\n']);
});

test('inspect prints an indented array, empty when nothing was found', async () => {
  assert.equal(
    (await run({ 'GET /networks/n': { Id: 3 } }, 'inspect', ['n'])).stdout,
    '[\n    {\n        "Id": 3\n    }\n]\n',
  );
  const missing = await run({}, 'inspect', ['--type', 'image', 'x']);
  assert.deepEqual([missing.code, missing.stdout, missing.stderr], [1, '[]\n', 'seaway: No such image: x\n']);
});

test('an error other than "not found" ends the search of inspect', async () => {
  const { stderr, requests } = await run({ 'GET /containers/x/json': failWith(500, 'broken') }, 'inspect', [
    'x',
  ]);
  assert.deepEqual([stderr, requests.length], ['seaway: broken\n', 1]);
});

test('import sends the archive with its settings and prints the new id', async () => {
  const table = { 'POST /images/create': { status: 'sha256:abc' } };
  const argv = ['-c', 'CMD sh', '-c', 'ENV A=1', '-m', 'hello', '-', 'bb:1'];
  const { stdout, requests, bodies } = await run(table, 'import', argv, 'tar bytes');
  assert.equal(stdout, 'sha256:abc\n');
  assert.equal(
    requests[0],
    'POST /images/create?fromSrc=-&repo=bb%3A1&message=hello&changes=CMD+sh&changes=ENV+A%3D1',
  );
  assert.equal(bodies[0], 'tar bytes');
});

test('load prints what was loaded and fails on an error in the stream', async () => {
  assert.equal(
    (await run({ 'POST /images/load': { stream: 'Loaded image: a:1\n' } }, 'load')).stdout,
    'Loaded image: a:1\n',
  );
  await assert.rejects(run({ 'POST /images/load': { error: 'bad tar' } }, 'load'), /bad tar/);
});

test('a missing archive is named', async () => {
  await assert.rejects(
    run({}, 'load', ['-i', '/nonexistent.tar']),
    /cannot open \/nonexistent.tar: no such file/,
  );
  await assert.rejects(run({}, 'import', ['/']), /cannot open \/: it is a directory/);
});

test('rmi says what went, and goes on after a failure', async () => {
  const table = {
    'DELETE /images/a': [{ Untagged: 'a:latest' }, { Deleted: 'sha256:1' }],
    'DELETE /images/b': failWith(409, 'in use'),
  };
  const { code, stdout, stderr } = await run(table, 'rmi', ['b', 'a']);
  assert.deepEqual(
    [code, stdout, stderr],
    [1, 'Untagged: a:latest\nDeleted: sha256:1\n', 'seaway: in use\n'],
  );
});

test('tag splits the new name at its last colon after the last slash', async () => {
  assert.deepEqual(splitReference('a'), { repo: 'a', tag: 'latest' });
  assert.deepEqual(splitReference('a:1'), { repo: 'a', tag: '1' });
  assert.deepEqual(splitReference('localhost:5000/a'), { repo: 'localhost:5000/a', tag: 'latest' });
  assert.deepEqual(splitReference('localhost:5000/a:1'), { repo: 'localhost:5000/a', tag: '1' });
  assert.deepEqual((await run({ 'POST /images/a/tag': {} }, 'tag', ['a', 'b:2'])).requests, [
    'POST /images/a/tag?repo=b&tag=2',
  ]);
});

test('version shows both sides, and a template can pick from them', async () => {
  const table = {
    'GET /version': { Version: '9.9', ApiVersion: '1.49', MinAPIVersion: '1.24', Os: 'linux', Arch: 'amd64' },
  };
  const { stdout } = await run(table, 'version');
  assert.match(
    stdout,
    /^Client:\n Version: +\d+\.\d+\.\d+\n[\s\S]*\nServer:\n Version: +9\.9\n API version: +1\.49 \(minimum version 1\.24\)\n/,
  );
  assert.equal((await run(table, 'version', ['-f', '{{.Server.Version}}'])).stdout, '9.9\n');
});
