import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CliError } from '../cli-error.ts';
import type { CreateRequest } from '../client/types.ts';
import { commandTable, findCommand, listCommands } from './index.ts';
import { buildRunRequest, spec as run } from './run.ts';
import { type CommandSpec, HelpRequest, parseCommand } from './spec.ts';

const env = { HOME: '/root', EMPTY: '' };

function request(...argv: string[]): CreateRequest {
  const { args, options } = parseCommand(run, argv);
  return buildRunRequest(args, options, env);
}

async function load(name: string): Promise<CommandSpec<never>> {
  return (await commandTable[name]!.load()).spec;
}

test('a plain run asks for the image, its own command and both outputs', () => {
  const body = request('busybox');
  assert.equal(body.Image, 'busybox');
  assert.deepEqual([body.Cmd, body.Entrypoint], [null, null]);
  assert.deepEqual([body.AttachStdin, body.AttachStdout, body.AttachStderr], [false, true, true]);
  assert.deepEqual([body.Tty, body.OpenStdin, body.StdinOnce], [false, false, false]);
  assert.equal(body.HostConfig.NetworkMode, 'default');
  assert.deepEqual(body.NetworkingConfig.EndpointsConfig, {});
  assert.equal('StopTimeout' in body, false);
});

test("everything after the image is the container's command", () => {
  assert.deepEqual(request('--rm', 'busybox', 'ls', '--rm', '-l', '--', '-x').Cmd, [
    'ls',
    '--rm',
    '-l',
    '--',
    '-x',
  ]);
  assert.equal(request('busybox', '--rm').HostConfig.AutoRemove, false);
  assert.deepEqual(request('--', 'busybox', '-x').Cmd, ['-x']);
});

test('short options may be joined, with a value at the end', () => {
  const body = request('-itu', 'root', '-eA=1', '-w/tmp', '-e=B=2', 'busybox');
  assert.deepEqual([body.Tty, body.OpenStdin, body.AttachStdin, body.StdinOnce], [true, true, true, true]);
  assert.equal(body.User, 'root');
  assert.equal(body.WorkingDir, '/tmp');
  assert.deepEqual(body.Env, ['A=1', 'B=2']);
});

test('options without a value can be said to be true or false', () => {
  assert.equal(request('--rm=true', 'busybox').HostConfig.AutoRemove, true);
  assert.equal(request('--rm', '--rm=false', 'busybox').HostConfig.AutoRemove, false);
  assert.equal(request('-t=1', 'busybox').Tty, true);
  assert.equal(request('-it=F', 'busybox').Tty, false);
});

test('a value may look like an option', () => {
  assert.equal(request('--entrypoint', '--odd', 'busybox').Entrypoint?.[0], '--odd');
  assert.equal(request('-h', '-x', 'busybox').Hostname, '-x');
  assert.equal(request('--stop-timeout', '-1', 'busybox').StopTimeout, -1);
});

test('an empty entry point is sent, and is not the same as none', () => {
  assert.deepEqual(request('--entrypoint', '', 'busybox').Entrypoint, ['']);
  assert.deepEqual(request('--entrypoint=', 'busybox').Entrypoint, ['']);
});

test('variables by name alone come from our environment or not at all', () => {
  assert.deepEqual(request('-e', 'HOME', '-e', 'EMPTY', '-e', 'MISSING', '-e', 'A=', 'busybox').Env, [
    'HOME=/root',
    'EMPTY=',
    'A=',
  ]);
});

test('networks: one is the mode, several are endpoints too', () => {
  assert.equal(request('--net=none', 'busybox').HostConfig.NetworkMode, 'none');
  assert.equal(request('--network', 'container:web', 'busybox').HostConfig.NetworkMode, 'container:web');
  const body = request('--network', 'shop', '--net', 'back', 'busybox');
  assert.equal(body.HostConfig.NetworkMode, 'shop');
  assert.deepEqual(body.NetworkingConfig.EndpointsConfig, { shop: {}, back: {} });
});

test('the other settings reach their fields', () => {
  const body = request(
    ...['--name', 'web', '-h', 'h1', '--domainname', 'd.org', '-l', 'a=b=c', '--label', 'bare'],
    ...['--cap-add', 'net_admin', '--cap-add', 'all', '--cap-drop', 'CAP_CHOWN', '--read-only'],
    ...[
      '--add-host',
      'a:1.2.3.4',
      '--add-host',
      'b=[::1]',
      '--add-host',
      'c:::2',
      '--add-host',
      'd:host-gateway',
    ],
    ...[
      '--dns',
      '1.1.1.1',
      '--dns-option',
      'ndots:1',
      '--dns-search',
      '.',
      '--stop-signal',
      'INT',
      '--stop-timeout',
      '3',
    ],
    ...['--link', 'db', '--link', 'db:store', '--expose', '80', '--expose', '8000-8001/udp'],
    'busybox',
  );
  assert.deepEqual(body.HostConfig.Links, ['db', 'db:store']);
  assert.deepEqual(body.ExposedPorts, { '80/tcp': {}, '8000/udp': {}, '8001/udp': {} });
  assert.deepEqual([body.Hostname, body.Domainname], ['h1', 'd.org']);
  assert.deepEqual(body.Labels, { a: 'b=c', bare: '' });
  assert.deepEqual(body.HostConfig.CapAdd, ['CAP_NET_ADMIN', 'ALL']);
  assert.deepEqual(body.HostConfig.CapDrop, ['CAP_CHOWN']);
  assert.equal(body.HostConfig.ReadonlyRootfs, true);
  assert.deepEqual(body.HostConfig.ExtraHosts, ['a:1.2.3.4', 'b:::1', 'c:::2', 'd:host-gateway']);
  assert.deepEqual(body.HostConfig.Dns, ['1.1.1.1']);
  assert.deepEqual([body.HostConfig.DnsOptions, body.HostConfig.DnsSearch], [['ndots:1'], ['.']]);
  assert.deepEqual([body.StopSignal, body.StopTimeout], ['INT', 3]);
});

test('a detached container keeps its input open but nothing attached', () => {
  const body = request('-d', '-i', 'busybox');
  assert.deepEqual([body.AttachStdin, body.AttachStdout, body.AttachStderr], [false, false, false]);
  assert.deepEqual([body.OpenStdin, body.StdinOnce], [true, false]);
});

test('named streams replace the default ones', () => {
  const body = request('-a', 'STDERR', '-i', 'busybox');
  assert.deepEqual([body.AttachStdin, body.AttachStdout, body.AttachStderr], [false, false, true]);
});

test('what is published is exposed too', () => {
  const body = request(
    ...['-p', '8080:80', '-p', '127.0.0.1::80', '--publish=53:53/udp', '-p8000-8001:81-82'],
    ...['-P', '--expose', '80', '--expose=9000-9001/foo', 'busybox'],
  );
  assert.deepEqual(body.HostConfig.PortBindings, {
    '80/tcp': [
      { HostIp: '', HostPort: '8080' },
      { HostIp: '127.0.0.1', HostPort: '' },
    ],
    '53/udp': [{ HostIp: '', HostPort: '53' }],
    '81/tcp': [{ HostIp: '', HostPort: '8000' }],
    '82/tcp': [{ HostIp: '', HostPort: '8001' }],
  });
  assert.equal(body.HostConfig.PublishAllPorts, true);
  assert.deepEqual(Object.keys(body.ExposedPorts), [
    ...['80/tcp', '53/udp', '81/tcp', '82/tcp', '9000/foo', '9001/foo'],
  ]);
  const plain = request('busybox');
  assert.deepEqual([plain.HostConfig.PortBindings, plain.ExposedPorts], [{}, {}]);
  assert.equal(plain.HostConfig.PublishAllPorts, false);
});

const refused: [argv: string[], exitCode: number, message: RegExp][] = [
  [[], 1, /missing required argument 'IMAGE'/],
  [['--rm'], 1, /missing required argument 'IMAGE'/],
  [['--bad', 'busybox'], 125, /unknown option '--bad'/],
  [['-Z', 'busybox'], 125, /unknown option '-Z'/],
  [['-e'], 125, /'-e, --env <NAME=VALUE>' argument missing/],
  [['--rm=maybe', 'busybox'], 125, /invalid argument "maybe" for "--rm" flag/],
  [['-t=2', 'busybox'], 125, /invalid argument "2" for "-t" flag/],
  [['-e', '=x', 'busybox'], 125, /invalid argument "=x" for "-e, --env" flag/],
  [['-e', '', 'busybox'], 125, /needs a name/],
  [['-l', '=x', 'busybox'], 125, /a label needs a name/],
  [
    ['--dns', 'junk', 'busybox'],
    125,
    /invalid argument "junk" for "--dns" flag: IP address is not correctly/,
  ],
  [['--dns-search', 'a b', 'busybox'], 125, /not a valid domain/],
  [['--add-host', 'junk', 'busybox'], 125, /bad format for add-host: "junk"/],
  [['--add-host', 'a:junk', 'busybox'], 125, /invalid IP address in add-host: "junk"/],
  [['--cap-add', '', 'busybox'], 125, /a capability needs a name/],
  [
    ['-p', '8080:', 'busybox'],
    125,
    /invalid argument "8080:" for "-p, --publish" flag: no port specified: 8080:<empty>/,
  ],
  [['--publish', 'a:80', 'busybox'], 125, /invalid hostPort: a$/],
  [['--expose', 'http', 'busybox'], 125, /invalid range format for --expose: http/],
  [['-a', 'foo', 'busybox'], 125, /valid streams are STDIN, STDOUT and STDERR/],
  [['--stop-timeout', '1.5', 'busybox'], 125, /not a whole number/],
  [['--network', 'name=x', 'busybox'], 125, /give the network only/],
  [['-d', '-a', 'stdout', 'busybox'], 125, /cannot specify both --attach and --detach/],
  [['--env-file', '/nonexistent', 'busybox'], 125, /invalid env file \(\/nonexistent\)/],
];

for (const [argv, exitCode, message] of refused) {
  test(`run ${argv.join(' ')} is refused with ${exitCode}`, () => {
    assert.throws(() => request(...argv), { name: 'CliError', exitCode, message });
  });
}

test('a refusal is one line and says where help is', () => {
  assert.throws(
    () => request('--netwrk', 'x', 'busybox'),
    (error: CliError) => {
      assert.equal(error.message, "unknown option '--netwrk' (Did you mean --network?)");
      assert.equal(error.hint, "Run 'seaway run --help' for more information");
      return true;
    },
  );
});

test('every command explains itself and is found by its name', async () => {
  for (const name of Object.keys(commandTable)) {
    const spec = await load(name);
    assert.equal(spec.name, name);
    assert.throws(
      () => parseCommand(spec, ['--help']),
      (error) => error instanceof HelpRequest && error.text.startsWith(`Usage: seaway ${name} `),
    );
    assert.deepEqual(findCommand([...name.split(' '), 'x'])?.rest, ['x']);
  }
});

test('a command that does not exist is not found', () => {
  for (const words of [[], ['foo'], ['network'], ['network', 'foo'], ['toString']]) {
    assert.equal(findCommand(words), undefined);
  }
  assert.deepEqual(
    listCommands('network').map(([name]) => name.replace('network ', '')),
    ['create', 'connect', 'disconnect', 'ls', 'inspect', 'rm', 'prune'],
  );
});

test('options may follow arguments where no command of a container does', async () => {
  const { args, options } = parseCommand(await load('stop'), ['web', '-t', '-1', 'db', '--signal=INT']);
  assert.deepEqual(args, ['web', 'db']);
  assert.deepEqual(options, { timeout: -1, signal: 'INT' });
});

const elsewhere: [argv: string[], exitCode: number, message: RegExp][] = [
  [['ps', 'x'], 1, /too many arguments/],
  [['ps', '-f', 'x'], 125, /expected name=value/],
  [['ps', '-n', 'x'], 125, /not a whole number/],
  [['port'], 1, /missing required argument 'CONTAINER'/],
  [['port', 'web', '80', '81'], 1, /too many arguments/],
  [['wait'], 1, /missing required argument 'CONTAINER'/],
  [['tag', 'a'], 1, /missing required argument 'TARGET_IMAGE'/],
  [['rename', 'a'], 1, /missing required argument 'NEW_NAME'/],
  [['logs', '--tail', 'x', 'web'], 125, /expected a number of lines or "all"/],
  [['logs', '--since', 'x', 'web'], 125, /neither a date/],
  [['inspect', '--type', 'secret', 'x'], 125, /expected container, image, network or volume/],
  [['stop', '-t', 'soon', 'web'], 125, /not a whole number/],
];

for (const [argv, exitCode, message] of elsewhere) {
  test(`${argv.join(' ')} is refused with ${exitCode}`, async () => {
    const spec = await load(argv[0]!);
    assert.throws(() => parseCommand(spec, argv.slice(1)), { name: 'CliError', exitCode, message });
  });
}
