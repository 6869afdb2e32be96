import { readFileSync } from 'node:fs';
import { parseResolvConf } from '../model/network-files.ts';

/** The addresses of the name servers that the host asks. Read at once: it is one small local file. */
export function hostServers(): readonly string[] {
  try {
    return parseResolvConf(readFileSync('/etc/resolv.conf', 'utf8')).nameservers;
  } catch {
    return [];
  }
}
