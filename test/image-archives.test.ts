/** Images in archives: saved and loaded again, read by others, left in the middle, and imported from a URL. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fails, inspectImage, leaveWhenTold, loadTwoLayers, progressOf } from './lab/images.ts';
import { expectSameInventory, takeInventory } from './lab/inventory.ts';
import { busyboxRootfs } from './lab/rootfs.ts';
import { eventually, openStory } from './lab/story.ts';

const lab = await openStory();

describe('docker import from a URL', () => {
  test('takes what is behind it, and says when there is nothing', async () => {
    const { stdout: digest } = await lab.run(['sh', '-c', 'sha256sum | cut -d" " -f1'], {
      input: busyboxRootfs(),
    });
    writeFileSync(join(lab.directory, 'rootfs.tar'), busyboxRootfs());
    const server = lab.background([
      'python3',
      '-m',
      'http.server',
      '-b',
      '127.0.0.1',
      '-d',
      lab.directory,
      '8088',
    ]);
    const url = '127.0.0.1:8088/rootfs.tar';
    await eventually(() => lab.run(['curl', '-sSf', '-o', '/dev/null', url]));
    const told = await progressOf(lab, `/images/create?fromSrc=${url}&repo=fetched&tag=1`);
    assert.deepEqual(told[0], { status: `Downloading from http://${url}` });
    const { Comment, RootFS } = await inspectImage(lab, 'fetched:1');
    assert.equal(Comment, `Imported from http://${url}`);
    assert.deepEqual(RootFS.Layers, [`sha256:${digest.trim()}`]);
    await lab.docker('rmi fetched:1');
    await fails(
      lab,
      'import http://127.0.0.1:8088/nothing x',
      /failed to GET http:\/\/127\.0\.0\.1:8088\/nothing with status 404/,
    );
    await server.stop();
  });
});

describe('docker save and docker load', () => {
  test('several images in one archive, read by others and loaded again as they were', async () => {
    for (const tag of ['1', '2']) await loadTwoLayers(lab, `kept:${tag}`, tag);
    await lab.docker('tag kept:1 also/kept:x');
    const [first, second] = [await inspectImage(lab, 'kept:1'), await inspectImage(lab, 'kept:2')];
    const path = join(lab.directory, 'saved.tar');
    await lab.docker(`save -o ${path} kept also/kept:x`);
    const listing = (await lab.run(['tar', 'tf', path])).stdout.trim().split('\n');
    assert.equal(new Set(listing).size, listing.length, 'shared layers are there once');
    const read = async (archive: string) =>
      JSON.parse((await lab.run(['skopeo', 'inspect', archive])).stdout) as { Layers: string[] };
    assert.deepEqual((await read(`docker-archive:${path}:kept:1`)).Layers, first.RootFS.Layers);
    await lab.run(['sh', '-c', `mkdir ${path}.oci && tar -C ${path}.oci -xf ${path}`]);
    const index = JSON.parse(readFileSync(join(`${path}.oci`, 'index.json'), 'utf8'));
    const names = index.manifests.map(
      ({ annotations }: { annotations: Record<string, string> }) => annotations['io.containerd.image.name'],
    );
    assert.deepEqual(names.sort(), [
      'docker.io/also/kept:x',
      'docker.io/library/kept:1',
      'docker.io/library/kept:2',
    ]);
    await lab.docker('rmi kept:1 kept:2 also/kept:x');
    const loaded = await lab.dockerOutput(`load -i ${path}`);
    assert.deepEqual(loaded.split('\n').sort(), [
      'Loaded image: also/kept:x',
      'Loaded image: kept:1',
      'Loaded image: kept:2',
    ]);
    assert.equal((await inspectImage(lab, 'kept:1')).Id, first.Id);
    assert.equal(await lab.dockerOutput('run --rm --net=none kept:2 cat /www/seed'), '2');

    // By id it has no name; two commands joined by a pipe are what people type.
    await new Promise<void>((resolve, reject) => {
      const script = `docker save ${second.Id} | gzip -1 > ${path}.gz`;
      execFile(
        'sh',
        ['-c', script],
        { env: { ...lab.env, DOCKER_HOST: `unix://${lab.engine.socket}` } },
        (error) => (error ? reject(error) : resolve()),
      );
    });
    await lab.docker('rmi kept:2');
    const progress = await lab.api('POST', '/images/load?quiet=0', readFileSync(`${path}.gz`), {
      headers: { 'Content-Type': 'application/x-tar' },
    });
    assert.match(progress.text, /^\{"status":"Loading layer","progressDetail":\{"current":\d+,"total":\d+\}/);
    await lab.docker(`rmi ${second.Id}`);
    assert.equal(await lab.dockerOutput(`load -q -i ${path}.gz`), `Loaded image ID: ${second.Id}`);
    await lab.docker(`rmi ${second.Id} kept:1 also/kept:x`);
  });

  test('who goes away in the middle leaves nothing behind', async () => {
    await loadTwoLayers(lab, 'gone:1', 'gone');
    const before = await takeInventory(lab, lab.engine);
    for (let round = 0; round < 3; round += 1) {
      const reader = leaveWhenTold(lab, '/images/gone:1/get', 'GET');
      await reader.started;
      reader.leave();
    }
    await expectSameInventory(lab, before, lab.engine);
    assert.equal(await lab.dockerOutput('run --rm --net=none gone:1 cat /www/seed'), 'gone');
    await lab.docker('rmi gone:1');
  });
});
