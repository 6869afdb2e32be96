/**
 * What users of Testcontainers do, as they write it. Runs where an engine's published ports are at `localhost`;
 * `testcontainers.test.ts` starts it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import {
  GenericContainer,
  getContainerRuntimeClient,
  Network,
  type StartedTestContainer,
  Wait,
} from 'testcontainers';
import { encodeTar } from '../lab/tar.ts';

const image = 'busybox:latest';
const folder = mkdtempSync(join(tmpdir(), 'seaway-testcontainers-'));
after(() => rmSync(folder, { recursive: true }));

/** A small web server, which says so in its log. */
const webServer = () =>
  new GenericContainer(image)
    .withCommand(['sh', '-c', 'echo "listening on 80"; exec httpd -f -p 80 -h /www'])
    .withExposedPorts(80);

const pageOf = async (container: StartedTestContainer, path = '') =>
  (await fetch(`http://${container.getHost()}:${container.getMappedPort(80)}/${path}`)).text();

/** Follows the log of a running container until a line is there. */
async function logHas(container: StartedTestContainer, line: RegExp): Promise<void> {
  let seen = '';
  for await (const piece of await container.logs()) {
    seen += piece;
    if (line.test(seen)) return;
  }
  assert.match(seen, line);
}

describe('waiting until a container is ready', () => {
  const hello = 'hello from the container\n';

  test('for its ports, which is the default', async () => {
    await using container = await webServer().start();
    assert.equal(await pageOf(container), hello);
    assert.equal(container.getFirstMappedPort(), container.getMappedPort(80));
  });

  test('for a message in its log', async () => {
    await using container = await webServer().withWaitStrategy(Wait.forLogMessage('listening on 80')).start();
    await logHas(container, /listening on 80/);
  });

  test('for an HTTP answer', async () => {
    await using container = await webServer()
      .withWaitStrategy(Wait.forHttp('/index.html', 80).forStatusCode(200))
      .start();
    assert.equal(await pageOf(container, 'index.html'), hello);
  });

  test('for a command that succeeds', async () => {
    await using container = await webServer()
      .withWaitStrategy(Wait.forSuccessfulCommand('wget -qO- http://127.0.0.1/'))
      .start();
    assert.equal(await pageOf(container), hello);
  });

  test('for the end of a container that runs once, and its failure', async () => {
    const once = (script: string) =>
      new GenericContainer(image)
        .withCommand(['sh', '-c', script])
        .withWaitStrategy(Wait.forOneShotStartup())
        .start();
    await using container = await once('echo done');
    await logHas(container, /done/);
    await assert.rejects(once('exit 3'), /Container failed to start/);
  });

  test('for a health check', async () => {
    await using container = await webServer()
      .withHealthCheck({
        test: ['CMD-SHELL', 'test -e /tmp/healthy || { touch /tmp/healthy; exit 1; }'],
        interval: 200,
        timeout: 1000,
        retries: 50,
        startPeriod: 100,
      })
      .withWaitStrategy(Wait.forHealthCheck())
      .start();
    assert.equal(await pageOf(container), hello);
  });

  test('in vain', async () => {
    const never = webServer().withWaitStrategy(Wait.forLogMessage('never')).withStartupTimeout(300);
    await assert.rejects(never.start(), /Log message "never" not received after 300ms/);
  });
});

describe('a container', () => {
  test('has the environment, user, folder, labels, limits and name that it was given', async () => {
    await using container = await new GenericContainer(image)
      .withCommand(['sleep', '600'])
      .withEnvironment({ COLOUR: 'blue' })
      .withUser('www')
      .withWorkingDir('/tmp')
      .withHostname('tool')
      .withName('tool')
      .withLabels({ tier: 'test' })
      .withExtraHosts([{ host: 'elsewhere', ipAddress: '192.0.2.7' }])
      .withTmpFs({ '/scratch': 'rw,size=1m' })
      .withUlimits({ nofile: { hard: 512, soft: 256 } })
      .withAddedCapabilities('NET_ADMIN')
      .withDroppedCapabilities('MKNOD')
      .withSharedMemorySize(1024 * 1024)
      .withResourcesQuota({ memory: 0.125, cpu: 1 })
      .start();
    const script =
      'echo $COLOUR $(id -un) $(pwd) $(hostname) $(ulimit -n); grep elsewhere /etc/hosts; df -m /scratch | tail -1';
    const { output, exitCode } = await container.exec(['sh', '-c', script]);
    assert.equal(exitCode, 0, output);
    assert.match(output, /^blue www \/tmp tool 256\n192\.0\.2\.7\s+elsewhere\ntmpfs\s+1\s/);
    assert.deepEqual([container.getName(), container.getLabels().tier], ['/tool', 'test']);
  });

  test('runs commands, with their output apart, their exit code and settings of their own', async () => {
    await using container = await new GenericContainer(image).withCommand(['sleep', '600']).start();
    const { stdout, stderr, exitCode } = await container.exec(
      ['sh', '-c', 'echo $MOOD in $(pwd); echo oops >&2; exit 4'],
      { env: { MOOD: 'good' }, workingDir: '/tmp', user: 'www' },
    );
    assert.deepEqual([stdout, stderr, exitCode], ['good in /tmp\n', 'oops\n', 4]);
  });

  test('is given files before it starts and while it runs, and gives them back', async () => {
    const source = join(folder, 'page.html');
    writeFileSync(source, 'from a file\n');
    await using container = await webServer()
      .withCopyFilesToContainer([{ source, target: '/www/file.html' }])
      .withCopyContentToContainer([{ content: 'from a text\n', target: '/www/text.html', mode: 0o640 }])
      .start();
    assert.equal(await pageOf(container, 'file.html'), 'from a file\n');
    assert.equal(await pageOf(container, 'text.html'), 'from a text\n');
    assert.equal((await container.exec(['stat', '-c', '%a', '/www/text.html'])).output, '640\n');

    await container.copyFilesToContainer([{ source, target: '/www/later.html' }]);
    await container.copyContentToContainer([{ content: 'later\n', target: '/www/later.txt' }]);
    await container.copyDirectoriesToContainer([{ source: folder, target: '/www/folder' }]);
    const archive = encodeTar([
      { kind: 'file', path: 'archive.txt', data: Buffer.from('from an archive\n') },
    ]);
    await container.copyArchiveToContainer(Readable.from([archive]), '/www');
    assert.equal(await pageOf(container, 'later.html'), 'from a file\n');
    assert.equal(await pageOf(container, 'later.txt'), 'later\n');
    assert.equal(await pageOf(container, 'folder/page.html'), 'from a file\n');
    assert.equal(await pageOf(container, 'archive.txt'), 'from an archive\n');

    const copied = await text(await container.copyArchiveFromContainer('/www/later.txt'));
    assert.match(copied, /^later\.txt\0[\s\S]*\0later\n\0/);
  });

  test('sees folders of the host, and writes to them', async () => {
    await using container = await new GenericContainer(image)
      .withCommand(['sleep', '600'])
      .withBindMounts([
        { source: folder, target: '/data', mode: 'rw' },
        { source: folder, target: '/fixed', mode: 'ro' },
      ])
      .start();
    assert.equal((await container.exec(['sh', '-c', 'echo inside > /data/written'])).exitCode, 0);
    assert.equal(readFileSync(join(folder, 'written'), 'utf8'), 'inside\n');
    assert.notEqual((await container.exec(['touch', '/fixed/no'])).exitCode, 0);
  });

  test('shows what it writes as it writes it', async () => {
    let seen = '';
    await using container = await new GenericContainer(image)
      .withCommand(['sh', '-c', 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done'])
      .withLogConsumer((stream) => {
        stream.on('data', (line) => {
          seen += line;
        });
      })
      .withWaitStrategy(Wait.forLogMessage('line 3'))
      .start();
    assert.match(seen, /line 1\n/);
    await logHas(container, /line \d+/);
  });

  test('restarts, and is stopped with its files kept', async () => {
    const container = await webServer().start();
    await container.exec(['sh', '-c', 'echo kept > /www/kept.txt']);
    await container.restart({ timeout: 0 });
    assert.equal(await pageOf(container, 'kept.txt'), 'kept\n');
    const stopped = await container.stop({ remove: false, timeout: 0 });
    assert.match(await text(await stopped.copyArchiveFromContainer('/www/kept.txt')), /\0kept\n\0/);
    assert.equal(stopped.getId(), container.getId());
    const { container: containers } = await getContainerRuntimeClient();
    await containers.remove(containers.getById(stopped.getId()));
  });

  test('is made an image of', async () => {
    await using container = await webServer().start();
    await container.exec(['sh', '-c', 'echo committed > /www/index.html']);
    const made = await container.commit({ repo: 'committed', tag: '1', deleteOnExit: false });
    assert.match(made, /committed:1|^sha256:/);
    await using copy = await new GenericContainer('committed:1').withExposedPorts(80).start();
    assert.equal(await pageOf(copy), 'committed\n');
  });

  test('is used again where it was asked for', async () => {
    const reusable = () => webServer().withReuse().start();
    const [first, second] = [await reusable(), await reusable()];
    assert.equal(second.getId(), first.getId());
    await first.stop({ timeout: 0 });
  });
});

describe('networks', () => {
  test('containers find each other by their aliases', async () => {
    await using network = await new Network().start();
    await using server = await webServer().withNetwork(network).withNetworkAliases('shop', 'store').start();
    await using client = await new GenericContainer(image)
      .withCommand(['sleep', '600'])
      .withNetwork(network)
      .start();
    for (const alias of ['shop', 'store']) {
      const { output } = await client.exec(['wget', '-qO-', `http://${alias}/`]);
      assert.equal(output, 'hello from the container\n');
    }
    assert.equal(await pageOf(server), 'hello from the container\n');
    assert.deepEqual(client.getNetworkNames(), [network.getName()]);
    assert.match(client.getIpAddress(network.getName()), /^172\./);
  });

  test("a container without ports of its own uses the host's network", async () => {
    await using container = await new GenericContainer(image)
      .withNetworkMode('host')
      .withCommand(['sh', '-c', 'echo ready; exec httpd -f -p 8099 -h /www'])
      .withWaitStrategy(Wait.forLogMessage('ready'))
      .start();
    assert.ok(container.getId());
    for (let attempt = 0; ; attempt++) {
      const answer = await fetch('http://127.0.0.1:8099/').catch(() => undefined);
      if (answer) {
        assert.equal(answer.status, 200);
        break;
      }
      assert.ok(attempt < 500, 'the server answers');
    }
  });
});
