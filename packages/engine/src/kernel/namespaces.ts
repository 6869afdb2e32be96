/** Network namespaces of sandboxes. */
import { existsSync } from 'node:fs';
import {
  createNamespace,
  isNamespace,
  RouteSocket,
  removeNamespace,
  runInNamespace,
  setLink,
  writeSysctl,
} from '@seaway/linux';

export interface NamespaceRequest {
  readonly path: string;
  /** Whether interfaces that are added later get IPv6. */
  readonly ipv6: boolean;
}

/** Makes a network namespace that lives at `path`, with its loopback up. */
export function ensureNamespace({ path, ipv6 }: NamespaceRequest): void {
  if (!isNamespace(path)) createNamespace(path);
  using inside = RouteSocket.open({ namespace: path });
  inside.execute([setLink({ name: 'lo' }, { up: true })]);
  runInNamespace(path, () => {
    // `default` holds for interfaces to come; the loopback keeps ::1.
    if (existsSync('/proc/sys/net/ipv6')) {
      writeSysctl(['net', 'ipv6', 'conf', 'default', 'disable_ipv6'], ipv6 ? '0' : '1');
    }
  });
}

/** Ends the namespace's life at `path`; the kernel destroys it and its veth pairs in the background. */
export function removeSandboxNamespace(path: string): void {
  removeNamespace(path);
}
