/**
 * Who reaches what over the networks of containers, with real packets: the expectation is data in
 * `lab/firewall-matrix.ts`. `SEAWAY_TEST_ENGINE=dockerd` sends the same packets through Debian's dockerd and holds it to
 * the list of differences in `lab/firewall-differences.ts`.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { differences, idleRows, isRelayed, reasons } from './lab/firewall-differences.ts';
import { FirewallLab } from './lab/firewall-lab.ts';
import {
  type Attempt,
  attempts,
  describeAttempt,
  type NetworkName,
  networks,
  type Verdict,
} from './lab/firewall-matrix.ts';
import { engineUnderTest } from './lab/lab.ts';
import { openStory } from './lab/story.ts';

const isPeer = engineUnderTest === 'dockerd';
const lab = await openStory();
const all = attempts();
const different = differences(all);
/** What the engine under test should do with each attempt. */
const wanted = all.map((attempt, index): Attempt => {
  const other = isPeer ? different[index] : undefined;
  return other ? { ...attempt, verdict: other.verdict } : attempt;
});
const matrix = await FirewallLab.open(lab);

/** Compares the attempts of one group, line by line. */
function compare(verdicts: readonly Verdict[], isChosen: (attempt: Attempt) => boolean): void {
  const chosen = [...all.keys()].filter((index) => isChosen(all[index]!));
  assert.ok(chosen.length > 0);
  assert.deepEqual(
    chosen.map((index) => describeAttempt(all[index]!, verdicts[index]!)),
    chosen.map((index) => describeAttempt(all[index]!, wanted[index]!.verdict)),
  );
}

/** Cells that wait for the keeper to relay them. They are real expectations, in tests of their own. */
const waitsForRelay = (attempt: Attempt) => !isPeer && isRelayed(attempt);

// What is bridged goes through the rules for routed packets too where br_netfilter asks for it, and that is Docker's way.
const verdicts = new Map<string, readonly Verdict[]>();
for (const bridged of isPeer ? [1] : [1, 0]) {
  await lab.run(['sh', '-c', `echo ${bridged} | tee /proc/sys/net/bridge/bridge-nf-call-ip*tables`]);
  verdicts.set(`${bridged ? 'with' : 'without'} br_netfilter`, await matrix.probeAll(wanted));
}

for (const [circumstances, found] of verdicts) {
  describe(circumstances, () => {
    for (const network of Object.keys(networks) as NetworkName[]) {
      test(`who reaches what on the network ${network}`, () => {
        compare(found, (attempt) => attempt.network === network && !waitsForRelay(attempt));
      });
    }
    if (!isPeer) {
      test('what the keeper relays: ::1 of the host, and its IPv6 addresses to containers without', () => {
        compare(found, waitsForRelay);
      });
    }
  });
}

if (!isPeer) {
  test('packets for 127.0.0.1 did come over the wire, and were dropped by the rules for them', async () => {
    const { stdout } = await lab.run('nft list chain inet seaway raw_prerouting');
    const counters = [...stdout.matchAll(/counter packets (\d+) .*comment "(.*)"/g)];
    assert.equal(counters.length, 3, stdout);
    for (const [, packets, rule = ''] of counters) assert.ok(Number(packets) > 0, rule);
  });

  test('pings from other hosts reach containers where nothing is translated or all is open', async () => {
    const pings = Object.entries({
      plain: [false, false],
      'nat-unprotected': [true, true],
      routed: [true, true],
      'nat-routed': [false, true],
    } satisfies Partial<Record<NetworkName, boolean[]>>).flatMap(([network, answers]) =>
      matrix
        .serverAddresses(network as NetworkName)
        .map((address, family) => ({ network, address, answered: answers[family] })),
    );
    const outcomes = pings.map(async ({ network, address }) => {
      const { code } = await lab.outside(`busybox ping -c 1 -W 1 ${address}`, { allowFailure: true });
      return { network, address, answered: code === 0 };
    });
    assert.deepEqual(await Promise.all(outcomes), pings);
  });
}

describe('the differences from dockerd', () => {
  test('are differences, each of them', () => {
    assert.deepEqual(idleRows(all), []);
    const given = new Set(different.flatMap((difference) => difference?.because ?? []));
    assert.deepEqual([...given].sort(), Object.keys(reasons).sort());
  });

  test('are those that the page on the firewall explains', () => {
    const page = readFileSync(new URL('../docs/firewall.md', import.meta.url), 'utf8');
    const [, table = ''] = page.split('<!-- differences from dockerd -->\n');
    const lines = table.split('\n\n')[0]!.split('\n').slice(2);
    assert.deepEqual(
      lines,
      Object.values(reasons).map(({ what, why }) => `| ${what} | ${why} |`),
    );
  });
});
