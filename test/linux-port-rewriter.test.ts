/** Rewriting of ports on loopback, on the real kernel, in namespaces of this process's own. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  closeFd,
  createNamespace,
  NetlinkError,
  Nftables,
  openInetSocket,
  type PortRewrite,
  PortRewriter,
  RouteSocket,
  removeNamespace,
  setLink,
} from '@seaway/linux';
import { isolate } from '../packages/linux/src/fixtures/private-host.ts';
import { addressRecord, resolve, serveDns } from './lab/dns.ts';

const host = isolate();
const namespace = join(host.folder, 'inside');
createNamespace(namespace);
{
  using route = RouteSocket.open({ namespace });
  route.execute([setLink({ name: 'lo' }, { up: true })]);
}
after(() => {
  removeNamespace(namespace);
  host[Symbol.dispose]();
});

const address = '127.0.0.11';
const rewrites = (udp: number, tcp: number): PortRewrite[] => [
  { protocol: 'udp', address, port: 53, actualPort: udp },
  { protocol: 'tcp', address, port: 53, actualPort: tcp },
];

function ruleset(): string {
  using nftables = Nftables.open({ namespace });
  return nftables.run('list ruleset');
}

/** As nft(8) prints it. */
const listing = (udp: number, tcp: number) => `table ip ports {
	chain output {
		type filter hook output priority raw; policy accept;
		oif != "lo" accept
		ip daddr 127.0.0.11 udp dport 53 notrack udp dport set ${udp}
		ip saddr 127.0.0.11 udp sport ${udp} notrack udp sport set 53
		ip daddr 127.0.0.11 tcp dport 53 notrack tcp dport set ${tcp}
		ip saddr 127.0.0.11 tcp sport ${tcp} notrack tcp sport set 53
	}
}
`;

describe('port rewriting', () => {
  test('is put, replaced as a whole, and removed, all of it any number of times', () => {
    using rewriter = PortRewriter.open({ namespace });
    rewriter.put('ports', rewrites(40_001, 40_002));
    assert.equal(ruleset(), listing(40_001, 40_002));
    rewriter.put('ports', rewrites(40_003, 40_004));
    rewriter.put('ports', rewrites(40_003, 40_004));
    assert.equal(ruleset(), listing(40_003, 40_004));
    rewriter.remove('ports');
    rewriter.remove('ports');
    assert.equal(ruleset(), '');
  });

  test('that the kernel refuses names the step and leaves things as they were', () => {
    using nftables = Nftables.open({ namespace });
    // A chain of that name with another hook.
    nftables.run('add table ip ports; add chain ip ports output { type filter hook input priority 0; }');
    const before = ruleset();
    using rewriter = PortRewriter.open({ namespace });
    assert.throws(
      () => rewriter.put('ports', rewrites(40_001, 40_002)),
      (error) => error instanceof NetlinkError && /add chain ip ports output/.test(error.message),
    );
    assert.equal(ruleset(), before);
    rewriter.remove('ports');
  });

  test('works in a process with more descriptors than select(2) can name', () => {
    const open: number[] = [];
    try {
      while ((open.at(-1) ?? 0) < 1100) open.push(openInetSocket('udp', 'ipv4').fd);
      using rewriter = PortRewriter.open({ namespace });
      rewriter.put('ports', rewrites(40_001, 40_002));
    } finally {
      for (const fd of open) closeFd(fd);
    }
    assert.equal(ruleset(), listing(40_001, 40_002));
    using rewriter = PortRewriter.open({ namespace });
    rewriter.remove('ports');
  });

  test('brings queries to a server on other ports, and its answers back, large ones too', async () => {
    const many = Array.from({ length: 200 }, (_, index) => `192.0.2.${index}`);
    const server = await serveDns(namespace, address, ({ name }) => ({
      answers: many.map((data) => addressRecord(name, data)),
    }));
    try {
      using rewriter = PortRewriter.open({ namespace });
      const from = rewrites(53, 53).map((rewrite) => ({ ...rewrite, port: 5353 }));
      rewriter.put('ports', from);
      for (const overTcp of [false, true]) {
        const found = await resolve(namespace, 'x.example', { overTcp, port: 5353 });
        assert.deepEqual(found, many);
      }
      rewriter.remove('ports');
    } finally {
      await server.close();
    }
  });
});
