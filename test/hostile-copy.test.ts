/**
 * Containers and archives that want to reach the host by what is copied, clients that are slow or vanish: what the host
 * has stays out of reach, and the daemon small.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { processes } from './lab/inventory.ts';
import { engineUnderTest } from './lab/lab.ts';
import { RawApi } from './lab/raw-api.ts';
import { eventually, image, openStory } from './lab/story.ts';
import { encodeTar, type TarEntry } from './lab/tar.ts';

const lab = await openStory();
const api = new RawApi(lab);
const aboutOurs = { skip: engineUnderTest === 'dockerd' && 'about our daemon alone' };

/** On the host, and nowhere in any container. */
const hostFolder = join(lab.directory, 'host-only');
const secret = 'what only the host knows';
mkdirSync(hostFolder);
writeFileSync(join(hostFolder, 'secret'), secret);
const upwards = `${'../'.repeat(30)}${hostFolder.slice(1)}`;

await lab.docker(['run', '-d', '--name', 'box', '-v', '/proc:/host/proc', image, 'sleep', '3600']);
const exec = (script: string) => lab.docker(['exec', 'box', 'sh', '-c', script]);
await exec(
  `cd /srv; ln -s ${hostFolder} absolute; ln -s ${upwards} relative; ln -s /proc/1/root${hostFolder} process; ln -s /host/proc/1/root${hostFolder} procfs; ln -s /host/proc/self/root${hostFolder} own; mkfifo pipe`,
);

const archivePath = (path: string) => `/containers/box/archive?path=${encodeURIComponent(path)}`;

function put(path: string, entries: readonly TarEntry[]) {
  return lab.api<{ message?: string }>('PUT', `/v1.41${archivePath(path)}`, encodeTar(entries), {
    headers: { 'Content-Type': 'application/x-tar' },
  });
}

const file = (path: string, text = 'planted'): TarEntry => ({ kind: 'file', path, data: Buffer.from(text) });

function hostIsAsItWas(): void {
  assert.deepEqual(readdirSync(hostFolder), ['secret']);
  assert.equal(readFileSync(join(hostFolder, 'secret'), 'utf8'), secret);
}

describe('links in a container lead nowhere on the host', aboutOurs, () => {
  for (const link of ['absolute', 'relative', 'process', 'procfs', 'own']) {
    test(link, async () => {
      for (const path of [`/srv/${link}/secret`, `/srv/${link}/.`]) {
        const answer = await api.send('GET', archivePath(path));
        assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status} ${answer.text}`);
        assert.doesNotMatch(answer.text, new RegExp(secret));
      }
      assert.ok([400, 404].includes((await put(`/srv/${link}`, [file('planted')])).status));
      hostIsAsItWas();
    });
  }

  test('links that change while files are copied', async () => {
    const swap = (target: string) =>
      `while :; do rm -rf /srv/swap; ln -s ${target} /srv/swap; rm -f /srv/swap; mkdir /srv/swap; echo inside > /srv/swap/secret; done`;
    await lab.docker(['exec', '-d', 'box', 'sh', '-c', swap(hostFolder)]);
    await lab.docker(['exec', '-d', 'box', 'sh', '-c', swap(upwards)]);
    for (let round = 0; round < 3; round++) {
      // What is gone between the answer's head and its body can only be told by breaking off.
      const brokenOff = () => ({ text: '' });
      const answers = await Promise.all([
        api.send('GET', archivePath('/srv/swap/secret')).catch(brokenOff),
        api.send('GET', archivePath('/srv/swap/.')).catch(brokenOff),
        api.send('GET', archivePath('/srv')),
        put('/srv/swap', [file('planted')]),
        put('/srv', [{ kind: 'directory', path: 'swap' }, file('swap/planted'), file('swap/secret')]),
      ]);
      for (const { text } of answers) assert.doesNotMatch(text, new RegExp(secret));
      hostIsAsItWas();
    }
    await lab.docker('restart -t 0 box');
  });
});

describe('archives reach no more than the container', aboutOurs, () => {
  test('through their own links', async () => {
    const answer = await put('/srv', [
      { kind: 'symlink', path: 'way', target: hostFolder },
      file('way/planted'),
    ]);
    // In the container there is no such folder, so that the way is broken.
    assert.equal(answer.status, 400, answer.text);
    const inside = await put('/srv', [{ kind: 'symlink', path: 'etc', target: '/etc' }, file('etc/planted')]);
    assert.equal(inside.status, 200, inside.text);
    assert.equal((await exec('cat /etc/planted')).stdout, 'planted');
    hostIsAsItWas();
  });

  for (const [what, entries, message] of [
    ['a name with ..', [file('../../planted')], /is outside of "\/srv"/],
    [
      'a hard link with ..',
      [{ kind: 'hardlink', path: 'h', target: '../../etc/passwd' }],
      /invalid hardlink/,
    ],
    [
      'a hard link to a file of the host',
      [{ kind: 'hardlink', path: 'h', target: `${hostFolder}/secret` }],
      /no such file/,
    ],
  ] as const) {
    test(what, async () => {
      const answer = await put('/srv', entries);
      assert.match(answer.json.message ?? '', message);
      assert.equal(answer.status, 400);
      hostIsAsItWas();
    });
  }

  test('absolute names count from the folder', async () => {
    assert.equal((await put('/srv', [file('/tmp/planted')])).status, 200);
    assert.equal((await exec('cat /srv/tmp/planted')).stdout, 'planted');
  });

  test('devices and set-user-ID programs are made in the container alone', async () => {
    const answer = await put('/srv', [
      { kind: 'device', path: 'null', major: 1, minor: 3 },
      { kind: 'file', path: 'suid', data: Buffer.from('x'), mode: 0o6755 },
    ]);
    assert.equal(answer.status, 200, answer.text);
    assert.match(
      (await exec('stat -c "%F %t:%T" /srv/null; stat -c %a /srv/suid')).stdout,
      /^character special file 1:3\n6755$/m,
    );
  });

  test('an overlay’s whiteout cannot be planted', async () => {
    const answer = await put('/etc', [{ kind: 'device', path: 'passwd', major: 0, minor: 0 }]);
    assert.equal(answer.status, 400, answer.text);
  });

  test('a pipe is archived and never read', async () => {
    const { stdout } = await lab.docker(['cp', 'box:/srv/pipe', '-']);
    assert.match(stdout, /^pipe\0/);
  });
});

const helpers = () => processes(lab).filter(({ command }) => /files\/main\.[jt]s/.test(command));

function residentMb(): number {
  const status = readFileSync(`/proc/${lab.engine.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

function ask(method: string, path: string): Promise<{ answer: IncomingMessage; close: () => void }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: lab.engine.socket, method, path: `/v1.41${path}`, agent: false });
    asked.once('response', (answer) => resolve({ answer, close: () => asked.destroy() }));
    asked.once('error', reject);
    asked.end();
  });
}

describe('large files', aboutOurs, () => {
  const sizeBytes = 300 * 1024 * 1024;

  test('a slow reader makes the daemon no larger, and gets all of it', async () => {
    await exec(`truncate -s ${sizeBytes} /srv/large`);
    const before = residentMb();
    const { answer } = await ask('GET', archivePath('/srv/large'));
    answer.pause();
    let most = 0;
    // Time enough for all of it to come, if anything took it in.
    for (let look = 0; look < 10; look++) {
      await sleep(50);
      most = Math.max(most, residentMb());
    }
    let bytes = 0;
    for await (const chunk of answer) {
      bytes += (chunk as Buffer).length;
    }
    most = Math.max(most, residentMb());
    assert.equal(bytes, 512 + sizeBytes + 1024);
    assert.ok(most - before < 40, `the daemon grew by ${(most - before).toFixed(0)} MB`);
  });

  test('holes stay holes on the way in, and the daemon stays as it is', async () => {
    const before = residentMb();
    const { answer } = await ask('GET', archivePath('/srv/large'));
    const outcome = Promise.withResolvers<number | undefined>();
    const upload = request({
      ...{ socketPath: lab.engine.socket, method: 'PUT', path: `/v1.41${archivePath('/tmp')}` },
      headers: { 'Content-Type': 'application/x-tar' },
      agent: false,
    });
    upload.once('response', (response) => outcome.resolve(response.resume().statusCode));
    upload.once('error', outcome.reject);
    answer.pipe(upload);
    assert.equal(await outcome.promise, 200);
    const grown = residentMb() - before;
    assert.ok(grown < 40, `the daemon grew by ${grown.toFixed(0)} MB`);
    const { stdout } = await exec('stat -c %s /tmp/large; du -k /tmp/large');
    assert.match(stdout, new RegExp(`^${sizeBytes}\\n0\\s`));
  });

  test('clients that vanish leave nobody working for them', async () => {
    const { close } = await ask('GET', archivePath('/srv/large'));
    const upload = request({
      ...{ socketPath: lab.engine.socket, method: 'PUT', path: `/v1.41${archivePath('/srv')}` },
      headers: { 'Content-Type': 'application/x-tar' },
      agent: false,
    });
    upload.on('error', () => {});
    upload.write(encodeTar([file('half', 'x'.repeat(5000))]).subarray(0, 3000));
    await eventually(() => assert.equal(helpers().length, 2));
    close();
    upload.destroy();
    await eventually(() => assert.deepEqual(helpers(), []));
    assert.equal((await api.send('HEAD', archivePath('/srv/pipe'))).status, 200);
  });

  test('a bad beginning is told before the rest has come', async () => {
    const upload = request({
      ...{ socketPath: lab.engine.socket, method: 'PUT', path: `/v1.41${archivePath('/srv')}` },
      headers: { 'Content-Type': 'application/x-tar' },
      agent: false,
    });
    upload.on('error', () => {});
    upload.write(encodeTar([file('../up')]).subarray(0, 1024));
    const answer = await new Promise<IncomingMessage>((resolve) => upload.once('response', resolve));
    assert.equal(answer.statusCode, 400);
    upload.destroy();
    await eventually(() => assert.deepEqual(helpers(), []));
  });

  test('nor does a daemon that was killed', async () => {
    const { answer, close } = await ask('GET', archivePath('/srv/large'));
    answer.on('error', () => {}).pause();
    assert.equal(helpers().length, 1);
    await lab.engine.restart('SIGKILL');
    close();
    await eventually(() => assert.deepEqual(helpers(), []));
    assert.equal((await api.send('HEAD', archivePath('/srv/pipe'))).status, 200);
  });

  test('a container can be removed while somebody copies from it', async () => {
    const { answer, close } = await ask('GET', archivePath('/srv/large'));
    answer.on('error', () => {}).pause();
    await lab.docker('rm -f -v box');
    assert.deepEqual(readdirSync(lab.pathInside(`${lab.engine.dataRoot}/containers`)), []);
    close();
    await eventually(() => assert.deepEqual(helpers(), []));
  });
});
