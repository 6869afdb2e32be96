/**
 * `--link`: on the default bridge containers find each other by that alone; on networks of the users' it is a name
 * that only the linking container knows.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, describe, test } from 'node:test';
import { engineUnderTest, Lab } from './lab/lab.ts';
import { addressOf, eventually, image, inspect, openStory } from './lab/story.ts';

const lab = await openStory();
/** Debian's dockerd opens nothing for a container that comes back, and sticks to links to removed ones. */
const aboutOurs = { skip: engineUnderTest === 'dockerd' && 'dockerd does otherwise' };

afterEach(async () => {
  const all = await lab.dockerOutput('ps -aq');
  if (all !== '') await lab.docker(['rm', '-f', ...all.split('\n')]);
  await lab.docker('network prune -f');
});

async function run(where: Lab, name: string, ...options: string[]): Promise<string> {
  return where.dockerOutput(['run', '-d', '--name', name, ...options, image, 'sleep', '600']);
}

/** The lines of a container's hosts file that name an alias first. */
async function linesFor(alias: string, container: string): Promise<string[]> {
  const hosts = await lab.dockerOutput(`exec ${container} cat /etc/hosts`);
  return hosts.split('\n').filter((line) => line.split('\t')[1]?.startsWith(`${alias} `));
}

async function refused(args: string[]): Promise<string> {
  const { code, stderr } = await lab.docker(args, { allowFailure: true });
  assert.notEqual(code, 0);
  return stderr;
}

async function linksOf(container: string): Promise<readonly string[] | null> {
  return JSON.parse(await lab.dockerOutput(['inspect', '-f', '{{json .HostConfig.Links}}', container]));
}

describe('on the default bridge', () => {
  test('a linked container is found by alias, host name and name, and by nothing without a link', async () => {
    const id = await run(lab, 'db');
    await run(lab, 'web', '--link', 'db:store');
    const address = await addressOf(lab, 'db');
    assert.deepEqual(await linesFor('store', 'web'), [`${address}\tstore ${id.slice(0, 12)} db`]);
    for (const name of ['store', 'db', id.slice(0, 12)]) await lab.docker(`exec web ping -c 1 ${name}`);
    await run(lab, 'same', '--link', 'db');
    assert.deepEqual(await linesFor('db', 'same'), [`${address}\tdb ${id.slice(0, 12)}`]);
    assert.match(await refused(['exec', 'db', 'ping', '-c', '1', 'web']), /bad address/);
  });

  test('it has a second name by the link: shown, listed and taken by every command', async () => {
    const id = await run(lab, 'db');
    await run(lab, 'web', '--link', 'db:store');
    assert.deepEqual(await linksOf('web'), ['/db:/web/store']);
    assert.equal((await inspect(lab, 'web/store')).Id, id);
    assert.equal(await lab.dockerOutput('exec web/store hostname'), id.slice(0, 12));
    const names = await lab.dockerOutput('ps --no-trunc --filter name=db --format {{.Names}}');
    assert.deepEqual(names.split(',').sort(), ['db', 'web/store']);
    await lab.docker('rename web shop');
    await lab.docker('rename db base');
    assert.deepEqual(await linksOf('shop'), ['/base:/shop/store']);
    assert.equal((await inspect(lab, 'shop/store')).Id, id);
    assert.match(await refused(['inspect', 'web/store']), /No such object: web\/store/);
  });

  test('the environment tells of its ports and variables', async () => {
    const expose = ['8001', '8000', '8002', '80', '5353/udp'].flatMap((port) => ['--expose', port]);
    await run(lab, 'db', ...expose, '-e', 'MODE=a=b', '-e', 'HOME=/data');
    const address = await addressOf(lab, 'db');
    await run(lab, 'web', '--link', 'db:my-db', '-e', 'MY_DB_PORT_80_TCP_PORT=mine');
    const environment = (await lab.dockerOutput('exec web env')).split('\n');
    const port = (number: number, protocol: string) => {
      const name = `MY_DB_PORT_${number}_${protocol.toUpperCase()}`;
      return [
        `${name}=${protocol}://${address}:${number}`,
        `${name}_ADDR=${address}`,
        `${name}_PORT=${number === 80 ? 'mine' : number}`,
        `${name}_PROTO=${protocol}`,
      ];
    };
    assert.deepEqual(
      environment.filter((variable) => variable.startsWith('MY_DB_')).sort(),
      [
        `MY_DB_PORT=tcp://${address}:80`,
        ...[80, 8000, 8001, 8002].flatMap((number) => port(number, 'tcp')),
        ...port(5353, 'udp'),
        `MY_DB_PORT_8000_TCP_START=tcp://${address}:8000`,
        `MY_DB_PORT_8000_TCP_END=tcp://${address}:8002`,
        'MY_DB_PORT_8000_TCP_PORT_START=8000',
        'MY_DB_PORT_8000_TCP_PORT_END=8002',
        'MY_DB_NAME=/web/my-db',
        'MY_DB_ENV_MODE=a=b',
      ].sort(),
    );
  });

  test('the hosts file follows a container that comes back under another address, in place', async () => {
    await run(lab, 'db');
    await run(lab, 'web', '--link', 'db:store');
    const { HostsPath } = await inspect(lab, 'web');
    const hosts = () => readFile(lab.pathInside(HostsPath), 'utf8');
    await lab.docker(['exec', 'web', 'sh', '-c', 'echo "192.0.2.9 mine" >> /etc/hosts']);
    const before = await hosts();
    const first = await addressOf(lab, 'db');
    await lab.docker('stop -t 0 db');
    assert.equal(await hosts(), before, 'a stop leaves the line as it is');
    await run(lab, 'squatter');
    assert.equal(await addressOf(lab, 'squatter'), first);
    await lab.docker('start db');
    const second = await addressOf(lab, 'db');
    assert.notEqual(second, first);
    assert.equal(await hosts(), before.replace(first, second));

    await lab.docker('stop -t 0 db');
    await lab.docker('rm -f squatter');
    await lab.engine.restart();
    await lab.docker('start db');
    assert.equal(await addressOf(lab, 'db'), first);
    assert.equal(await hosts(), before, 'also over a restart of the daemon');
  });

  test('a daemon that starts sets right what a crash has left behind', aboutOurs, async () => {
    await run(lab, 'db');
    await run(lab, 'web', '--link', 'db:store');
    const { HostsPath } = await inspect(lab, 'web');
    const before = await readFile(lab.pathInside(HostsPath), 'utf8');
    await lab.engine.kill('SIGKILL');
    const stale = before.replace(/^.*\tstore /m, '172.17.99.99\tstore ');
    await writeFile(lab.pathInside(HostsPath), stale);
    await lab.engine.start();
    assert.notEqual(stale, before);
    assert.equal(await readFile(lab.pathInside(HostsPath), 'utf8'), before);
  });

  test('our own command line links and unlinks as well', aboutOurs, async () => {
    await lab.seaway(['run', '-d', '--name', 'db', '--expose', '80', image, 'sleep', '600']);
    await lab.seaway(['run', '-d', '--name', 'web', '--link', 'db:store', image, 'sleep', '600']);
    assert.match(await lab.dockerOutput('exec web env'), /^STORE_PORT=tcp:\/\/172\.17\.0\.\d+:80$/m);
    assert.match((await lab.seaway('inspect -f {{.Name}} web/store')).stdout, /^\/db$/m);
    await lab.seaway('rm --link web/store');
    assert.equal(await linksOf('web'), null);
  });

  test('rm --link drops the link alone', async () => {
    await run(lab, 'db');
    await run(lab, 'web', '--link', 'db:store', '--link', 'db:spare');
    assert.match(await refused(['rm', '--link', 'web/nope']), /No such container: web\/nope/);
    assert.match(
      await refused(['rm', '--link', 'web']),
      /Conflict, cannot remove the default link name of the container/,
    );
    await lab.docker('rm --link /web/store');
    assert.deepEqual(await linksOf('web'), ['/db:/web/spare']);
    assert.deepEqual(await linesFor('store', 'web'), []);
    assert.equal((await linesFor('spare', 'web')).length, 1);
    assert.match(await refused(['inspect', 'web/store']), /No such object/);
    assert.equal((await inspect(lab, 'db')).State.Running, true);
  });

  test('a removed container takes the link along, and the other can restart', aboutOurs, async () => {
    await run(lab, 'db');
    await run(lab, 'web', '--link', 'db');
    await lab.docker('rm -f db');
    assert.equal(await linksOf('web'), null);
    assert.deepEqual(await linesFor('db', 'web'), []);
    await lab.docker('restart -t 0 web');
    assert.deepEqual(await linesFor('db', 'web'), []);
    assert.doesNotMatch(await lab.dockerOutput('exec web env'), /DB_/);
  });

  test('a link to a container that shares the network of another leads to that one', async () => {
    const id = await run(lab, 'db');
    await run(lab, 'side', '--net', 'container:db');
    await run(lab, 'web', '--link', 'side:store');
    assert.deepEqual(await linksOf('web'), ['/db:/web/store']);
    assert.deepEqual(await linesFor('store', 'web'), [
      `${await addressOf(lab, 'db')}\tstore ${id.slice(0, 12)} db`,
    ]);
  });

  test('of two links with one alias the first counts', async () => {
    await run(lab, 'db1');
    await run(lab, 'db2');
    await run(lab, 'web', '--link', 'db1:db', '--link', 'db2:db');
    assert.deepEqual(await linksOf('web'), ['/db1:/web/db']);
    assert.equal((await linesFor('db', 'web')).length, 1);
  });

  test('what cannot be linked is refused, with the reason', async () => {
    const create = (...options: string[]) => refused(['create', ...options, image, 'true']);
    assert.match(await create('--link', 'a:b:c'), /bad format for links: a:b:c/);
    assert.match(await create('--link', 'nope'), /could not get container for nope: No such container: nope/);
    await run(lab, 'hosted', '--net', 'host');
    assert.match(
      await create('--link', 'hosted'),
      /conflicting options: host type networking can't be used with links/,
    );
    await lab.docker(['create', '--name', 'db', image, 'sleep', '600']);
    assert.match(
      await refused(['run', '--name', 'web', '--link', 'db:store', image, 'true']),
      /Cannot link to a non running container: \/db AS \/web\/store/,
    );
    assert.match((await inspect(lab, 'web')).State.Error, /Cannot link to a non running container/);
    await lab.docker('start db');
    await lab.docker('start web');
    await run(lab, 'apart', '--net', 'none');
    assert.match(
      await refused(['run', '--rm', '--link', 'apart', image, 'true']),
      /Cannot link to \/apart, as it does not belong to the default network/,
    );
  });
});

/** Answers on UDP port 53 whatever it is sent. */
const udpEcho = `
  const socket = require('node:dgram').createSocket('udp4').bind(53);
  socket.on('message', (text, { port, address }) => socket.send(text, port, address));`;

/** Prints what comes back of a word sent there, or "silence". */
const udpPing = (address: string) => `
  const socket = require('node:dgram').createSocket('udp4');
  const end = (text) => { process.stdout.write(text); process.exit(); };
  socket.on('message', (text) => end(String(text))).send('named', 53, '${address}');
  setTimeout(end, 500, 'silence');`;

test(
  'links open the exposed ports, and only those, where containers may not talk to each other',
  aboutOurs,
  async () => {
    await using other = await Lab.create();
    await other.startEngine({ args: ['--icc=false'] });
    await other.importBusybox();
    const serve = 'nc -ll -p 80 -e echo linked & nc -ll -p 81 -e echo hidden & wait';
    const exposed = ['--expose', '80', '--expose', '53/udp'];
    await other.docker(['run', '-d', '--name', 'db', ...exposed, image, 'sh', '-c', serve]);
    await run(other, 'stranger');
    // The same one by two aliases: what the one opened must stay open without the other.
    await run(other, 'web', '--link', 'db', '--link', 'db:again');
    const output = async (from: string, ...command: string[]) =>
      (await other.docker(['exec', from, ...command], { allowFailure: true })).stdout.trim();
    const read = (from: string, to: string, port: number) =>
      output(from, 'timeout', '1', 'nc', to, String(port));
    const inside = async (container: string, program: string) => {
      const { SandboxKey } = (await inspect(other, container)).NetworkSettings;
      return ['nsenter', `--net=${SandboxKey}`, process.execPath, '-e', program];
    };

    await eventually(async () => assert.equal(await read('web', 'db', 80), 'linked'));
    await eventually(async () => assert.equal(await read('db', '127.0.0.1', 81), 'hidden'));
    assert.equal(await read('web', 'db', 81), '');
    const address = await addressOf(other, 'db');
    assert.equal(await read('stranger', address, 80), '');
    const echo = other.background(await inside('db', udpEcho));
    const ping = async (container: string) =>
      (await other.run(await inside(container, udpPing(address)))).stdout;
    await eventually(async () => assert.equal(await ping('web'), 'named'));
    assert.equal(await ping('stranger'), 'silence');
    await echo.stop();
    assert.match(await output('web', 'ping', '-c', '1', '-W', '1', 'db'), / 0 packets received/);

    await other.docker('rm --link web/again');
    assert.equal(await read('web', 'db', 80), 'linked');
    await other.engine.restart();
    assert.equal(await read('web', 'db', 80), 'linked');

    await other.docker('stop -t 0 db');
    await run(other, 'squatter');
    await other.docker('start db');
    assert.notEqual(await addressOf(other, 'db'), address);
    await eventually(async () => assert.equal(await read('web', 'db', 80), 'linked'));

    const webAddress = await addressOf(other, 'web');
    await other.docker('rm -f web');
    await run(other, 'heir');
    assert.equal(await addressOf(other, 'heir'), webAddress);
    assert.equal(await read('heir', await addressOf(other, 'db'), 80), '', 'an address inherits nothing');
  },
);

describe('on a network of the users', () => {
  test('a link is a name that only the linking container knows', async () => {
    await lab.docker('network create shop');
    await run(lab, 'db', '--network', 'shop');
    await run(lab, 'web', '--network', 'shop', '--link', 'db:store');
    assert.equal(await linksOf('web'), null);
    const settings = (await inspect(lab, 'web')).NetworkSettings.Networks.shop as unknown as {
      readonly Links: readonly string[];
    };
    assert.deepEqual(settings.Links, ['db:store']);
    await lab.docker('exec web ping -c 1 store');
    assert.match(await refused(['exec', 'db', 'ping', '-c', '1', 'store']), /bad address/);
    assert.deepEqual(await linesFor('store', 'web'), []);
    assert.doesNotMatch(await lab.dockerOutput('exec web env'), /STORE_/);
    await lab.docker('stop -t 0 db');
    await lab.docker('start db');
    await lab.docker('exec web ping -c 1 store');
  });

  test('what it leads to need not be there yet', async () => {
    await lab.docker('network create shop');
    await run(lab, 'web', '--network', 'shop', '--link', 'db:store');
    assert.match(await refused(['exec', 'web', 'ping', '-c', '1', 'store']), /bad address/);
    await run(lab, 'db', '--network', 'shop');
    await lab.docker('exec web ping -c 1 store');
  });
});
