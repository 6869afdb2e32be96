/**
 * Stand-ins for runc, conmon and cp that do what the real ones do until they are told to fail. The engine under test
 * gets them by `--default-runtime` and by its PATH, and knows nothing of them.
 */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineOptions } from './engine.ts';
import { type Inventory, takeInventory } from './inventory.ts';
import type { Lab } from './lab.ts';
import { eventually, image, openStory } from './story.ts';

/** What goes wrong, by the program and the verb at which it does. */
export type Fault =
  /** Exit code 1 with a complaint, nothing done. */
  | `${Verb} fails`
  /** Ends by SIGKILL, nothing done. */
  | `${Verb} is killed`
  /** Says that it has been reached and waits until it is let go; then goes on as if nothing had been. */
  | `${Verb} waits`
  /** The same, but fails once it is let go. */
  | `${Verb} waits and fails`
  /** runc kills the conmon that called it and goes on. */
  | 'create kills conmon'
  /** The container is made, and its first process ends by SIGKILL before anybody starts its program. */
  | 'create loses the process'
  /** The container is made without the pipe it is started through, and `runc start` fails. */
  | 'create loses the pipe';

type Verb = 'conmon' | 'create' | 'start' | 'delete' | 'cp';

const script = `#!/bin/sh
folder=\${0%/*}
real=/usr/bin/\${0##*/}
[ -x "$real" ] || real=/usr/sbin/\${0##*/}
verb=\${0##*/}
pid_file=
root=
[ "\${0##*/}" != runc ] || for word; do
  case $word in
    create | start | delete) verb=$word ;;
    --root=*) root=\${word#--root=} ;;
  esac
  [ "$previous" != --pid-file ] || pid_file=$word
  previous=$word
done
for id; do :; done
wanted=
[ ! -e "$folder/fault" ] || wanted=$(cat "$folder/fault")
case $wanted in
  "$verb fails") echo 'time="x" level=error msg="this is the injected fault"' >&2; exit 1 ;;
  "$verb is killed") kill -9 $$ ;;
  "$verb waits"*)
    : > "$folder/reached"
    while [ -e "$folder/fault" ]; do sleep 0.02; done
    [ "$wanted" = "$verb waits" ] || { echo 'time="x" level=error msg="this is the injected fault"' >&2; exit 1; }
    ;;
  "$verb kills conmon") kill -9 $PPID ;;
  "$verb loses the process") "$real" "$@" || exit; kill -9 "$(cat "$pid_file")"; exit 0 ;;
  "$verb loses the pipe") "$real" "$@" || exit; rm "$root/$id/exec.fifo"; echo 'start fails' > "$folder/fault"; exit 0 ;;
esac
exec "$real" "$@"
`;

export class FaultyPrograms {
  readonly #folder: string;

  constructor(lab: Lab) {
    this.#folder = join(lab.directory, 'programs');
    mkdirSync(this.#folder);
    for (const name of ['runc', 'conmon', 'cp']) {
      writeFileSync(join(this.#folder, name), script);
      chmodSync(join(this.#folder, name), 0o755);
    }
  }

  /** What the engine must be started with. @param path the PATH that it would have otherwise */
  engineOptions(path: string): EngineOptions {
    return {
      args: ['--default-runtime', join(this.#folder, 'runc')],
      env: { PATH: `${this.#folder}:${path}` },
    };
  }

  inject(fault: Fault): void {
    rmSync(join(this.#folder, 'reached'), { force: true });
    writeFileSync(join(this.#folder, 'fault'), fault);
  }

  /** From now on everything works; who waits goes on. */
  clear(): void {
    rmSync(join(this.#folder, 'fault'), { force: true });
  }

  /** Resolves when a program waits at the injected fault. */
  async reached(): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!existsSync(join(this.#folder, 'reached'))) {
      if (performance.now() > deadline) throw new Error('nobody came to the injected fault');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** A story whose engine runs containers with programs that can be made to fail. */
export interface FaultyStory {
  readonly lab: Lab;
  readonly programs: FaultyPrograms;
  /** What there is before the first container of the story. */
  readonly clean: Inventory;
}

export async function openFaultyStory(): Promise<FaultyStory> {
  let programs: FaultyPrograms | undefined;
  const lab = await openStory((lab) => {
    programs = new FaultyPrograms(lab);
    return programs.engineOptions(lab.env.PATH ?? '');
  });
  assert.ok(programs);
  // Everything an engine makes only once exists from here on.
  await lab.docker(`run --rm ${image} true`);
  const clean = await eventually(async () => {
    const inventory = await takeInventory(lab, lab.engine);
    assert.doesNotMatch(inventory.links?.join() ?? '', /veth/, 'the kernel is still at it');
    return inventory;
  });
  return { lab, programs, clean };
}
