/**
 * The image that tests, benchmarks and the quickstart run: Debian's busybox, iproute2's `ip` and glibc's `getent`, with
 * the shared libraries they need, taken from this machine, so that no registry is needed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { encodeTar, type TarEntry } from './tar.ts';

const text = (path: string, content: string, mode?: number): TarEntry => ({
  kind: 'file',
  path,
  data: Buffer.from(content),
  ...(mode === undefined ? {} : { mode }),
});
const directory = (path: string, mode?: number): TarEntry => ({
  kind: 'directory',
  path,
  ...(mode === undefined ? {} : { mode }),
});

const skeleton: readonly TarEntry[] = [
  ...['bin', 'etc', 'dev', 'home', 'lib', 'lib64', 'proc', 'root', 'sbin', 'srv', 'sys', 'usr', 'var'].map(
    (path) => directory(path),
  ),
  directory('tmp', 0o1777),
  directory('www'),
  text('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/www:/bin/sh\n'),
  text('etc/group', 'root:x:0:\nstaff:x:50:www\nwww:x:33:\n'),
  text('etc/nsswitch.conf', 'hosts: files dns\n'),
  text('etc/not-executable', 'this file has no execute bit\n'),
  text('www/index.html', 'hello from the container\n'),
];

/** Taken as they are: `ip` can do more than busybox's, and `getent` asks as programs do, by the C library. */
const notInBusybox = ['ip', 'getent'];

let cached: Buffer | undefined;

/**
 * The root filesystem as a tar archive, about 5 MB; built once per process in about 20 ms.
 * @throws Error when a program is not installed
 */
export function busyboxRootfs(): Buffer {
  cached ??= encodeTar([...skeleton, ...programs(), ...applets()]);
  return cached;
}

function programs(): TarEntry[] {
  const all = notInBusybox.concat('busybox').map((name) => ({ name, path: locate(name) }));
  const libraries = new Set(all.flatMap(({ path }) => librariesOf(path)));
  return [
    ...all.map(
      ({ name, path }): TarEntry => ({
        kind: 'file',
        path: `bin/${name}`,
        data: readFileSync(path),
        mode: 0o755,
      }),
    ),
    ...[...libraries].map(
      (path): TarEntry => ({ kind: 'file', path: path.slice(1), data: readFileSync(path), mode: 0o755 }),
    ),
  ];
}

function applets(): TarEntry[] {
  const names = execFileSync(locate('busybox'), ['--list'], { encoding: 'utf8' }).split('\n');
  return names
    .filter((name) => name !== '' && name !== 'busybox' && !notInBusybox.includes(name))
    .map((name): TarEntry => ({ kind: 'symlink', path: `bin/${name}`, target: 'busybox' }));
}

/** Absolute paths of the shared objects a program loads; none for a static one. */
function librariesOf(program: string): string[] {
  let listing: string;
  try {
    listing = execFileSync('ldd', [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return []; // ldd fails on static programs
  }
  return [...listing.matchAll(/(?:=> )?(\/\S+) \(0x/g)].flatMap((match) => match[1] ?? []);
}

function locate(program: string): string {
  const folders = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];
  const found = folders.map((folder) => `${folder}/${program}`).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${program} is not installed; "npm run setup" installs it`);
  return found;
}
