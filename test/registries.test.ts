/**
 * Images that come from registries and go there: pulled, pushed, shared, cancelled, damaged, chosen by platform, with
 * and without a password, and over mirrors.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fails, inspectImage, leaveWhenTold, loadTwoLayers, progressOf } from './lab/images.ts';
import { expectSameInventory, takeInventory } from './lab/inventory.ts';
import { hostAddress } from './lab/lab.ts';
import {
  type LabRegistry,
  registryUser,
  type SlowRegistry,
  startRegistry,
  startSlowRegistry,
} from './lab/registry.ts';
import { busyboxRootfs } from './lab/rootfs.ts';
import { eventually, image, openStory } from './lab/story.ts';

const lab = await openStory({
  args: ['--registry-mirror', 'http://127.0.0.1:5000', '--insecure-registry', `${hostAddress}:5002`],
});
let open: LabRegistry;
let slow: SlowRegistry;

before(async () => {
  [open, slow] = [await startRegistry(lab, 5000), await startSlowRegistry(lab, 5005, 5000)];
});

/** Puts a document into the registry as a manifest. */
async function putManifest(name: string, tag: string, type: string, document: object): Promise<string> {
  const path = join(lab.directory, 'manifest');
  const text = JSON.stringify(document);
  writeFileSync(path, text);
  const url = `http://${open.host}/v2/${name}/manifests/${tag}`;
  await lab.run([
    'curl',
    '-sSf',
    '-X',
    'PUT',
    '-H',
    `Content-Type: ${type}`,
    '--data-binary',
    `@${path}`,
    url,
  ]);
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

describe('docker push and docker pull', () => {
  test('an image comes back as it went, under its digest', async () => {
    const name = `${open.host}/team/box:1`;
    await loadTwoLayers(lab, name, 'one');
    const original = await inspectImage(lab, name);
    const pushed = await lab.dockerOutput(`push ${name}`);
    assert.match(pushed, /^The push refers to repository \[127\.0\.0\.1:5000\/team\/box\]$/m);
    const [, digest = ''] = /^1: digest: (sha256:[0-9a-f]{64}) size: \d+$/m.exec(pushed) ?? [];
    assert.ok(digest, pushed);
    assert.equal((pushed.match(/: Pushed$/gm) ?? []).length, 2);
    assert.match(
      await lab.dockerOutput(`push ${name}`),
      /: Layer already exists\n.*: Layer already exists\n1: digest/,
    );
    assert.deepEqual((await inspectImage(lab, name)).RepoDigests, [`${open.host}/team/box@${digest}`]);
    const row = new RegExp(`^${open.host}/team/box +1 +${digest} `, 'm');
    assert.match(await lab.dockerOutput('images --digests'), row);

    const removed = await lab.dockerOutput(`rmi ${name}`);
    assert.deepEqual(removed.split('\n'), [
      `Untagged: ${name}`,
      `Untagged: ${open.host}/team/box@${digest}`,
      `Deleted: ${original.Id}`,
    ]);
    const pulled = await lab.dockerOutput(`pull ${name}`);
    assert.match(pulled, /^1: Pulling from team\/box$/m);
    // The lower layer is that of the image that all stories have.
    for (const step of ['Already exists', 'Download complete', 'Pull complete']) {
      assert.equal((pulled.match(new RegExp(`^[0-9a-f]{12}: ${step}$`, 'gm')) ?? []).length, 1, pulled);
    }
    assert.match(pulled, new RegExp(`^Digest: ${digest}\nStatus: Downloaded newer image for ${name}$`, 'm'));
    const again = await lab.dockerOutput(`pull ${name}`);
    assert.match(again, new RegExp(`^Status: Image is up to date for ${name}$`, 'm'));
    const { Id, RepoTags: tags, RootFS, Size } = await inspectImage(lab, name);
    assert.deepEqual(
      { Id, RepoTags: tags, RootFS, Size },
      { Id: original.Id, RepoTags: [name], RootFS: original.RootFS, Size: original.Size },
    );
    assert.equal(await lab.dockerOutput(`run --rm --net=none ${name} cat /www/seed`), 'one');

    const byDigest = `${open.host}/team/box@${digest}`;
    await lab.docker(`rmi ${name}`);
    assert.match(await lab.dockerOutput(`run --rm --net=none ${byDigest} cat /www/seed`), /one$/);
    const { RepoTags } = await inspectImage(lab, byDigest);
    assert.deepEqual(RepoTags, []);
    assert.deepEqual(await lab.dockerOutput(`rmi ${byDigest}`), `Untagged: ${byDigest}\nDeleted: ${Id}`);
  });

  test('other images share layers, in the store and on the wire, and all tags go at once', async () => {
    const name = `${open.host}/many`;
    for (const tag of ['a', 'b']) await loadTwoLayers(lab, `${name}:${tag}`, tag);
    const pushed = await lab.dockerOutput(`push -a ${name}`);
    assert.match(pushed, /^a: digest: /m);
    assert.match(pushed, /^b: digest: /m);
    assert.match(pushed, /: Mounted from team\/box$|: Layer already exists$/m);
    await lab.docker(`tag ${name}:a ${open.host}/copy:1`);
    assert.match(await lab.dockerOutput(`push ${open.host}/copy:1`), /: Mounted from many$/m);
    await lab.docker(`rmi ${name}:a ${open.host}/copy:1`);
    assert.match(await lab.dockerOutput(`pull ${name}:a`), /: Already exists$/m);
    await lab.docker(`rmi ${name}:a ${name}:b`);
    const all = await lab.dockerOutput(`pull -a ${name}`);
    assert.equal((all.match(/Downloaded newer image/g) ?? []).length, 2);
    assert.match(await lab.dockerOutput(`run --rm --net=none ${name}:b cat /www/seed`), /^b$/);
    await lab.docker(`rmi ${name}:a ${name}:b`);
  });

  test('what happened is told', async () => {
    await lab.docker(`tag ${image} ${open.host}/told:1`);
    const since = Math.floor(Date.now() / 1000) - 1;
    await lab.docker(`push ${open.host}/told:1`);
    await lab.docker(`pull ${open.host}/told:1`);
    const filters = encodeURIComponent(JSON.stringify({ type: ['image'], event: ['push', 'pull'] }));
    const { text } = await lab.api(
      'GET',
      `/events?since=${since}&until=${Math.ceil(Date.now() / 1000)}&filters=${filters}`,
    );
    const told = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ Actor }) => Actor.ID === `${open.host}/told:1`)
      .map(({ Action, Actor }) => [Action, Actor.Attributes.name]);
    assert.deepEqual(told, [
      ['push', `${open.host}/told`],
      ['pull', `${open.host}/told`],
    ]);
    await lab.docker(`rmi ${open.host}/told:1`);
  });

  test('what there is not is said in the words that clients know, and run pulls by itself', async () => {
    const at = open.host;
    await fails(
      lab,
      `pull ${at}/team/box:nope`,
      /manifest for 127\.0\.0\.1:5000\/team\/box:nope not found: manifest unknown/,
    );
    await fails(
      lab,
      `pull -a ${at}/nothing`,
      /repository 127\.0\.0\.1:5000\/nothing not found: name unknown/,
    );
    await fails(
      lab,
      `push ${at}/nothing:1`,
      /An image does not exist locally with the tag: 127\.0\.0\.1:5000\/nothing/,
    );
    await fails(
      lab,
      'pull 127.0.0.1:1/x',
      /Get "http:\/\/127\.0\.0\.1:1\/v2\/": dial tcp 127\.0\.0\.1:1: connect: connection refused/,
    );
    await fails(
      lab,
      `pull ${hostAddress}:5000/x`,
      /Get "https:\/\/198\.51\.100\.1:5000\/v2\/": dial tcp .*connection refused/,
    );
    const ran = await lab.docker(`run --rm --net=none ${at}/team/box:1 cat /www/seed`);
    assert.equal(ran.stdout, 'one');
    assert.match(ran.stderr, /Unable to find image '127\.0\.0\.1:5000\/team\/box:1' locally/);
    await lab.docker(`rmi ${at}/team/box:1`);
  });

  test('of several platforms the asked one is taken, else the own', async () => {
    const own = process.arch === 'arm64' ? 'arm64' : 'amd64';
    const other = own === 'arm64' ? 'amd64' : 'arm64';
    const manifests: object[] = [];
    for (const architecture of [other, own]) {
      const name = `${open.host}/multi:${architecture}`;
      await lab.docker(['import', '--platform', `linux/${architecture}`, '-', name], {
        input: busyboxRootfs(),
      });
      const pushed = await lab.dockerOutput(`push ${name}`);
      const [, digest, size] = /digest: (sha256:\S+) size: (\d+)/.exec(pushed) ?? [];
      const mediaType = 'application/vnd.oci.image.manifest.v1+json';
      manifests.push({ mediaType, digest, size: Number(size), platform: { os: 'linux', architecture } });
      await lab.docker(`rmi ${name}`);
    }
    const index = 'application/vnd.oci.image.index.v1+json';
    const digest = await putManifest('multi', 'all', index, {
      schemaVersion: 2,
      mediaType: index,
      manifests,
    });
    const name = `${open.host}/multi:all`;
    await lab.docker(`pull ${name}`);
    assert.equal((await inspectImage(lab, name)).Architecture, own);
    assert.deepEqual((await inspectImage(lab, name)).RepoDigests, [`${open.host}/multi@${digest}`]);
    assert.match(await lab.dockerOutput(`pull --platform linux/${other} ${name}`), /Downloaded newer image/);
    assert.equal((await inspectImage(lab, name)).Architecture, other);
    await fails(
      lab,
      `pull --platform linux/s390x ${name}`,
      /no matching manifest for linux\/s390x in the manifest list entries/,
    );
    const { json } = await lab.api<{ Descriptor: object; Platforms: object[] }>(
      'GET',
      `/distribution/${name}/json`,
    );
    assert.deepEqual(json.Platforms, [
      { os: 'linux', architecture: other },
      { os: 'linux', architecture: own },
    ]);
    await lab.docker(`rmi ${name}`);
    await lab.docker('image prune -f');
  });

  test('registries elsewhere need encryption unless the daemon says otherwise; mirrors go before Docker Hub', async () => {
    const elsewhere = await startRegistry(lab, 5002, { address: hostAddress });
    await lab.docker(`tag ${image} ${elsewhere.host}/box:1`);
    assert.match(await lab.dockerOutput(`push ${elsewhere.host}/box:1`), /1: digest/);
    await elsewhere.stop();
    const strict = await startRegistry(lab, 5003, { address: hostAddress });
    await fails(
      lab,
      `pull ${strict.host}/box:1`,
      /Get "https:\/\/198\.51\.100\.1:5003\/v2\/": http: server gave HTTP response to HTTPS client/,
    );
    await strict.stop();
    const secret = await startRegistry(lab, 5004, { address: hostAddress, isEncrypted: true });
    await fails(
      lab,
      `pull ${secret.host}/box:1`,
      /tls: failed to verify certificate: x509: certificate signed by unknown authority/,
    );
    await secret.stop();
    const unproven = await startRegistry(lab, 5004, { isEncrypted: true });
    await lab.docker(`tag ${image} ${unproven.host}/box:1`);
    assert.match(await lab.dockerOutput(`push ${unproven.host}/box:1`), /1: digest/);
    await lab.docker(`rmi ${unproven.host}/box:1`);
    assert.match(await lab.dockerOutput(`pull ${unproven.host}/box:1`), /Downloaded newer image/);
    await lab.docker(`rmi ${unproven.host}/box:1`);
    await unproven.stop();
    await lab.docker(`tag ${image} ${open.host}/library/mirrored:1`);
    await lab.docker(`push ${open.host}/library/mirrored:1`);
    assert.match(await lab.dockerOutput('pull mirrored:1'), /^1: Pulling from library\/mirrored$/m);
    const { RepoDigests } = await inspectImage(lab, 'mirrored:1');
    assert.ok(
      RepoDigests.some((digest) => digest.startsWith('mirrored@sha256:')),
      String(RepoDigests),
    );
    await lab.docker(`rmi mirrored:1 ${open.host}/library/mirrored:1 ${elsewhere.host}/box:1`);
  });
});

describe('a registry with users', () => {
  test('is for those who log in', async () => {
    const closed = await startRegistry(lab, 5001, { hasUsers: true });
    const name = `${closed.host}/box:1`;
    await lab.docker(`tag ${image} ${name}`);
    await fails(lab, `push ${name}`, /no basic auth credentials/);
    await fails(lab, `pull ${name}`, /no basic auth credentials/);
    const login = (password: string) =>
      lab.docker(['login', '-u', registryUser.name, '--password-stdin', closed.host], {
        input: password,
        allowFailure: true,
      });
    const refused = await login('wrong');
    assert.match(
      refused.stderr,
      /login attempt to http:\/\/127\.0\.0\.1:5001\/v2\/ failed with status: 401 Unauthorized/,
    );
    assert.match((await login(registryUser.password)).stdout, /Login Succeeded/);
    assert.match(await lab.dockerOutput(`push ${name}`), /1: digest/);
    await lab.docker(`rmi ${name}`);
    assert.match(await lab.dockerOutput(`pull ${name}`), /Downloaded newer image/);
    await lab.docker(`rmi ${name}`);
    // Our own command line finds what docker has kept.
    assert.equal((await lab.seaway(`run --rm --net none ${name} echo pulled`)).stdout, 'pulled\n');
    assert.match((await lab.seaway(`push ${name}`)).stdout, /^1: digest: /m);
    const saved = join(lab.directory, 'seaway.tar');
    await lab.seaway(`save -o ${saved} ${name}`);
    assert.equal((await lab.seaway(`load -i ${saved}`)).stdout, `Loaded image: ${name}\n`);
    await lab.docker(`rmi ${name}`);
    await lab.docker(`logout ${closed.host}`);
    const wrong = Buffer.from(JSON.stringify({ username: 'captain', password: 'x' })).toString('base64url');
    const answer = await lab.api('POST', `/images/create?fromImage=${closed.host}/box&tag=1`, undefined, {
      headers: { 'X-Registry-Auth': wrong },
    });
    assert.equal(answer.status, 401);
    assert.match(answer.text, /unauthorized: authentication required/);
    for (const header of ['!', 'e30', 'WzFd', 'eyJ1c2VybmFtZSI6MX0=']) {
      const { status, text } = await lab.api(
        'POST',
        `/images/create?fromImage=${closed.host}/box&tag=1`,
        undefined,
        {
          headers: { 'X-Registry-Auth': header },
        },
      );
      // Only the second says nothing wrong, as nobody.
      assert.equal(status, header === 'e30' ? 403 : 400, text);
    }
    await closed.stop();
  });
});

describe('trouble on the way', () => {
  const name = () => `${slow.host}/slow:1`;

  before(async () => {
    await loadTwoLayers(lab, `${open.host}/slow:1`, 'slow');
    await lab.docker(`push ${open.host}/slow:1`);
    await lab.docker(`rmi ${open.host}/slow:1`);
  });

  const pullPath = () => `/images/create?fromImage=${slow.host}/slow&tag=1`;

  test('a connection that breaks off is taken up where it ended, and progress is told in bytes', async () => {
    slow.behave('break');
    const told = await progressOf(lab, pullPath());
    assert.match(String(told.at(-1)?.status), /^Status: Downloaded newer image/);
    assert.ok(told.some(({ status }) => /^Retrying in/.test(String(status))));
    const downloading = told.filter(({ status }) => status === 'Downloading');
    assert.match(String(downloading[0]?.progress), /^\[=*> *\] +[\d.]+[kM]?B\/[\d.]+[kM]B$/);
    const { current, total } = downloading[0]!.progressDetail as { current: number; total: number };
    assert.ok(current > 0 && current <= total);
    assert.ok(
      slow.asked().some((line) => / bytes=\d+-$/.test(line)),
      slow.asked().join('\n'),
    );
    await lab.docker(`rmi ${name()}`);
  });

  test('two who want the same image wait for one download; when one leaves the other gets it', async () => {
    const count = slow.asked().length;
    slow.behave('stall');
    const left = leaveWhenTold(lab, pullPath());
    const stayed = progressOf(lab, pullPath());
    await left.started;
    await eventually(() => assert.ok(slow.asked().length >= count + 3));
    // Meanwhile everything else goes, but not what the new image is to share with it.
    await lab.docker('image prune -af');
    left.leave();
    slow.behave('pass');
    assert.match(String((await stayed).at(-1)?.status), /^Status: /);
    const blobs = slow
      .asked()
      .slice(count)
      .filter((line) => !line.includes('bytes='));
    // A configuration for each of the two, and once the layer that is not in the store already.
    assert.equal(blobs.length, 3, blobs.join('\n'));
    assert.equal(await lab.dockerOutput(`run --rm --net=none ${name()} cat /www/seed`), 'slow');
    await lab.importBusybox(`${image}:latest`);
    await lab.docker(`rmi ${name()}`);
  });

  test('a pull that nobody waits for any more ends and leaves nothing', async () => {
    const before = await takeInventory(lab, lab.engine);
    slow.behave('stall');
    const pull = leaveWhenTold(lab, pullPath());
    await pull.started;
    pull.leave();
    await expectSameInventory(lab, before, lab.engine);
    slow.behave('pass');
    await fails(lab, `inspect ${name()}`, /No such object/i);
  });

  test('a daemon that is killed in the middle has forgotten it when it is back', async () => {
    const before = await takeInventory(lab, lab.engine);
    slow.behave('stall');
    const pull = leaveWhenTold(lab, pullPath());
    await pull.started;
    await lab.engine.restart('SIGKILL');
    slow.behave('pass');
    await expectSameInventory(lab, before, lab.engine);
    assert.match(await lab.dockerOutput(`pull ${name()}`), /Downloaded newer image/);
    await lab.docker(`rmi ${name()}`);
  });

  test('damaged content is refused whole', async () => {
    const before = await takeInventory(lab, lab.engine);
    const manifest = JSON.parse(
      (
        await lab.run([
          'curl',
          '-sS',
          '-H',
          'Accept: application/vnd.oci.image.manifest.v1+json',
          `http://${open.host}/v2/slow/manifests/1`,
        ])
      ).stdout,
    );
    const path = open.blobPath(manifest.layers[1].digest);
    const intact = readFileSync(path);
    for (const damaged of [Buffer.alloc(intact.length), intact.subarray(0, 1000)]) {
      writeFileSync(path, damaged);
      const told = await progressOf(lab, `/images/create?fromImage=${open.host}/slow&tag=1`);
      assert.match(
        String(told.at(-1)?.error),
        /verification failed for digest sha256:|broke off|unexpected EOF|longer/,
      );
      await expectSameInventory(lab, before, lab.engine);
    }
    writeFileSync(path, intact);
  });
});
