/**
 * Each step of a container's start fails in turn, by what can happen to a machine and not by hooks in the engine:
 * the caller is told what went wrong first, everything is as it was, and the next start works.
 */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { type Fault, openFaultyStory } from './lab/faulty-programs.ts';
import { expectSameInventory, inventoryDifference, takeInventory } from './lab/inventory.ts';
import { engineUnderTest } from './lab/lab.ts';
import { addressOf, eventually, image, inspect } from './lab/story.ts';

const aboutOurs = { skip: engineUnderTest === 'dockerd' && 'about our daemon alone' };

const { lab, programs, clean } = await openFaultyStory();
afterEach(async () => {
  // Of a test that failed half way.
  for (const name of ['victim', 'homeless', 'sticky']) await remove(name);
});

interface Problem {
  readonly message: string;
}

const soon = { timeoutMs: 8000 };
const start = (name: string) => lab.api<Problem>('POST', `/v1.41/containers/${name}/start`, undefined, soon);
const remove = (name: string) =>
  lab.api<Problem>('DELETE', `/v1.41/containers/${name}?force=1`, undefined, soon);

async function create(name: string, body: object = {}): Promise<string> {
  const answer = await lab.api<{ Id: string }>('POST', `/v1.41/containers/create?name=${name}`, {
    Image: image,
    Cmd: ['sleep', '600'],
    ...body,
  });
  assert.equal(answer.status, 201, answer.text);
  return answer.json.Id;
}

/** Where a container of ours has its files, as the lab sees it. */
const folderOf = (id: string) => `${lab.engine.dataRoot}/containers/${id}`;

interface Expected {
  readonly message: RegExp;
  /** @default 500 */
  readonly status?: number;
  /** @default 128, by Docker's convention for everything but a command that cannot be run */
  readonly exitCode?: number;
}

/**
 * A container is started while something is broken, then again when it is whole.
 * @param breakIt gets the container's id; returns how to mend what it broke
 */
async function failsAndRecovers(
  breakIt: (id: string) => Promise<() => Promise<void>>,
  { message, status = 500, exitCode = 128 }: Expected,
): Promise<void> {
  const id = await create('victim');
  const mend = await breakIt(id);
  try {
    const before = await takeInventory(lab, lab.engine);
    const answer = await start('victim');
    assert.match(answer.json?.message ?? answer.text, message);
    assert.equal(answer.status, status, answer.text);
    const { State } = await inspect(lab, 'victim');
    assert.equal(State.Status, 'created');
    assert.match(State.Error, message);
    assert.equal(State.ExitCode, exitCode);
    assert.equal(State.Pid, 0);
    // What a start writes into the container's own folder may stay: it is the container's until that is removed.
    await eventually(async () => {
      const now = await takeInventory(lab, lab.engine);
      const difference = inventoryDifference(before, now).filter(
        (line) => !line.includes(`containers/${id}/`),
      );
      assert.deepEqual(difference, [], 'left behind or lost');
    });
  } finally {
    await mend();
  }
  const again = await start('victim');
  assert.equal(again.status, 204, again.text);
  assert.match(await addressOf(lab, 'victim'), /^172\.17\.0\.\d+$/);
  assert.equal((await inspect(lab, 'victim')).State.Error, '');
  assert.equal((await remove('victim')).status, 204);
  await expectSameInventory(lab, clean, lab.engine);
}

/** Fails and recovers with a runc or conmon that has this fault. */
async function survives(fault: Fault, expected: Expected): Promise<void> {
  await failsAndRecovers(async () => {
    programs.inject(fault);
    return async () => programs.clear();
  }, expected);
}

/** Runs a shell command in the lab, and gives how to run another later. */
async function shell(breakIt: string, mendIt: string): Promise<() => Promise<void>> {
  await lab.run(['sh', '-c', breakIt]);
  return async () => {
    await lab.run(['sh', '-c', mendIt]);
  };
}

describe('the programs that run containers', aboutOurs, () => {
  test('runc create fails', () => survives('create fails', { message: /this is the injected fault/ }));

  test('runc create is killed', () => survives('create is killed', { message: /conmon gave no report/ }));

  test('conmon fails at once', () =>
    survives('conmon fails', { message: /conmon.*this is the injected fault/ }));

  test('conmon is killed at once', () => survives('conmon is killed', { message: /conmon gave no report/ }));

  test('conmon is killed while runc makes the container', () =>
    survives('create kills conmon', { message: /conmon gave no report/ }));

  test('the first process ends before the program is started', () =>
    survives('create loses the process', { message: /died before it was started/ }));

  test('runc start fails', () =>
    survives('create loses the pipe', { message: /this is the injected fault/ }));

  test('a command that cannot be run is told apart from all these', () =>
    failsAndRecovers(
      async (id) => {
        const rootfs = `${folderOf(id)}/overlay/upper`;
        // The command's own program is masked by a file that is not one; later it is there again.
        return await shell(
          `mkdir -p -m 755 ${rootfs}/bin && mknod ${rootfs}/bin/sleep c 0 0`,
          `rm ${rootfs}/bin/sleep`,
        );
      },
      { message: /executable file not found/, status: 400, exitCode: 127 },
    ));
});

describe('files and mounts', aboutOurs, () => {
  test('the root filesystem of the image is missing', () => {
    const images = `${lab.engine.dataRoot}/images`;
    return failsAndRecovers(
      async () =>
        await shell(
          `find ${images} -name rootfs -prune -exec mv {} {}.hidden \\;`,
          `find ${images} -name rootfs.hidden -prune -exec sh -c 'mv "$1" "\${1%.hidden}"' - {} \\;`,
        ),
      { message: /root filesystem of image sha256:[0-9a-f]+ is missing/ },
    );
  });

  test('the overlay cannot be mounted', () =>
    failsAndRecovers(
      async (id) =>
        await shell(
          `mkdir ${folderOf(id)}/overlay && touch ${folderOf(id)}/overlay/work`,
          `rm ${folderOf(id)}/overlay/work`,
        ),
      { message: /overlay|work/ },
    ));

  test('a file of the container cannot be written', () =>
    failsAndRecovers(
      async (id) => await shell(`mkdir ${folderOf(id)}/hosts`, `rmdir ${folderOf(id)}/hosts`),
      {
        message: /hosts/,
      },
    ));

  test('the configuration for the runtime cannot be written', () =>
    failsAndRecovers(
      async (id) => await shell(`mkdir ${folderOf(id)}/config.json`, `rmdir ${folderOf(id)}/config.json`),
      { message: /config\.json/ },
    ));

  test('the folder of the container is read-only', () =>
    failsAndRecovers(
      async (id) =>
        await shell(
          `mount --bind ${folderOf(id)} ${folderOf(id)} && mount -o remount,bind,ro ${folderOf(id)}`,
          `umount ${folderOf(id)}`,
        ),
      { message: /[Rr]ead-only|EROFS/ },
    ));

  test('the folder of the container is missing, as after a crash in the middle of its creation', async () => {
    const id = await create('homeless');
    await lab.run(`rm -r ${folderOf(id)}`);
    const answer = await start('homeless');
    assert.equal(answer.status, 204, answer.text);
    assert.equal((await inspect(lab, 'homeless')).State.Running, true);
    await remove('homeless');
    await expectSameInventory(lab, clean, lab.engine);
  });
});

describe('the network', aboutOurs, () => {
  test('the namespace cannot be made', () => {
    const netns = `${lab.engine.execRoot}/netns`;
    return failsAndRecovers(
      async () => await shell(`mount -t tmpfs -o ro tmpfs ${netns}`, `umount ${netns}`),
      {
        message: /[Rr]ead-only|EROFS/,
      },
    );
  });

  test('a bridge of that name that Seaway did not make stands where its own was', () =>
    failsAndRecovers(
      async () =>
        await shell('ip link delete docker0; ip link add docker0 type bridge', 'ip link delete docker0'),
      { message: /docker0.*was not made by this Seaway/, status: 409 },
    ));
});

test(
  "what runc could not delete at a container's end does not hinder its next start",
  aboutOurs,
  async () => {
    const id = await create('sticky', { Cmd: ['true'] });
    programs.inject('delete fails');
    assert.equal((await start('sticky')).status, 204);
    assert.equal(await lab.dockerOutput('wait sticky'), '0');
    programs.clear();
    assert.equal((await start('sticky')).status, 204);
    assert.equal(await lab.dockerOutput('wait sticky'), '0');
    // What is behind that answer would fail too.
    await eventually(() => lab.run(`test ! -e ${lab.engine.execRoot}/runc/${id}`));
    programs.inject('delete fails');
    assert.equal((await start('sticky')).status, 204);
    assert.equal(await lab.dockerOutput('wait sticky'), '0');
    programs.clear();
    assert.equal((await remove('sticky')).status, 204);
    await expectSameInventory(lab, clean, lab.engine);
  },
);
