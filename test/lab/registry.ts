/** A registry in a lab: Debian's docker-registry, on the lab host's loopback. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Background, Lab } from './lab.ts';

export interface LabRegistry {
  /** `127.0.0.1:PORT`, the first part of the names of its images. */
  readonly host: string;
  /** Its folder, as the test reaches it. */
  readonly folder: string;
  /** Where a blob lies, by digest. */
  blobPath(digest: string): string;
  log(): string;
  stop(): Promise<void>;
}

export const registryUser = { name: 'captain', password: 'harbour' } as const;
/** The password above, hashed with bcrypt as htpasswd does. */
const userLine = `${registryUser.name}:$2y$05$abcdefghijklmnopqrstuuZ9hITkhSjgdPh1azpD9e5XbVlHeIfui`;

export interface RegistryOptions {
  /** Whether it asks who somebody is. @default false */
  readonly hasUsers?: boolean;
  /** @default 127.0.0.1 */
  readonly address?: string;
  /** With a certificate that it gave itself. @default false */
  readonly isEncrypted?: boolean;
}

/** Starts a registry and waits until it answers. */
export async function startRegistry(
  lab: Lab,
  port: number,
  options: RegistryOptions = {},
): Promise<LabRegistry> {
  const host = `${options.address ?? '127.0.0.1'}:${port}`;
  const folder = join(lab.directory, `registry-${port}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const users = join(folder, 'htpasswd');
  writeFileSync(users, `${userLine}\n`);
  const config = {
    version: '0.1',
    log: { level: 'warn' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: { addr: host, ...(options.isEncrypted ? { tls: await makeCertificate(lab, folder) } : {}) },
    ...(options.hasUsers ? { auth: { htpasswd: { realm: 'lab', path: users } } } : {}),
  };
  // YAML reads JSON.
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config));
  const server = lab.background(['docker-registry', 'serve', join(folder, 'config.yml')]);
  await answers(lab, server, host, options.isEncrypted ? 'https' : 'http');
  return {
    host,
    folder,
    blobPath: (digest) => {
      const hex = digest.slice('sha256:'.length);
      return join(folder, 'data/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
    },
    log: () => server.output(),
    stop: () => server.stop(),
  };
}

async function makeCertificate(lab: Lab, folder: string): Promise<{ certificate: string; key: string }> {
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  await lab.run([
    ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-subj', '/CN=lab', '-keyout', key, '-out', certificate],
  ]);
  return { certificate, key };
}

/** A registry's face that has trouble with blobs, see slow-registry.ts. */
export interface SlowRegistry {
  readonly host: string;
  behave(mode: 'pass' | 'stall' | 'break'): void;
  /** Digest and range of each blob that was asked for. */
  asked(): string[];
  stop(): Promise<void>;
}

export async function startSlowRegistry(lab: Lab, port: number, upstream: number): Promise<SlowRegistry> {
  const modeFile = join(lab.directory, `slow-registry-${port}`);
  const behave = (mode: string): void => writeFileSync(modeFile, mode);
  behave('pass');
  const program = fileURLToPath(new URL('slow-registry.ts', import.meta.url));
  const server = lab.background([process.execPath, program, String(port), String(upstream), modeFile]);
  await answers(lab, server, `127.0.0.1:${port}`);
  return {
    host: `127.0.0.1:${port}`,
    behave,
    asked: () =>
      [...server.output().matchAll(/^blob \S+(sha256:\S+) ?(.*)$/gm)].map(([, digest, range]) =>
        `${digest} ${range}`.trim(),
      ),
    stop: () => server.stop(),
  };
}

async function answers(lab: Lab, server: Background, host: string, scheme = 'http'): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const { code } = await lab.run(['curl', '-sk', '-o', '/dev/null', `${scheme}://${host}/v2/`], {
      allowFailure: true,
    });
    if (code === 0) return;
    if (performance.now() > deadline) throw new Error(`the registry does not answer: ${server.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
