import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import dns, { type DecodedPacket, type Packet, type RecordType } from 'dns-packet';
import {
  answerQuery,
  FORWARD,
  IGNORE,
  MAX_UDP_REPLY,
  newQuery,
  readQuery,
  writeTruncated,
} from './answer.ts';
import { NameBook, type SandboxNames } from './names.ts';
import type { ResolverSandbox } from './protocol.ts';

/** Many hosts that share a name, for replies that do not fit. */
const crowd = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    names: [`member${index}`, 'crowd'],
    ipv4: `10.9.${index >> 8}.${index & 255}`,
  }));

const book = new NameBook();
book.apply({
  networks: [
    {
      id: 'n1',
      name: 'shop',
      hosts: [
        { names: ['web', 'www', 'Web.Prod', '0123456789ab'], ipv4: '10.1.0.2', ipv6: 'fd00::2' },
        { names: ['db', 'store'], ipv4: '10.1.0.3' },
        { names: ['six'], ipv6: 'fd00::6' },
        { names: ['db2', 'store'], ipv4: '10.1.0.4' },
        { names: ['db3', 'store'], ipv4: '10.1.0.5' },
      ],
    },
    {
      id: 'n2',
      name: 'Back.End',
      hosts: [
        { names: ['web'], ipv4: '10.2.0.2' },
        { names: ['only2'], ipv4: '10.2.0.9' },
        { names: ['db.shop'], ipv4: '10.2.0.7' },
      ],
    },
    { id: 'n3', name: 'other', hosts: [{ names: ['secret'], ipv4: '10.3.0.2' }] },
    { id: 'n4', name: 'big', hosts: crowd(300) },
    { id: 'n5', name: 'x'.repeat(70), hosts: [{ names: ['odd'], ipv4: '10.5.0.2' }] },
  ],
});

function sandbox(networks: ResolverSandbox['networks'], hasExplicitNdots = false): SandboxNames {
  const id = 'asking';
  book.apply({
    sandboxes: [{ id, namespace: '/nowhere', networks, forwardsFromHost: true, hasExplicitNdots }],
  });
  const names = book.sandbox(id);
  assert.ok(names);
  return names;
}

const on = (...ids: string[]) => sandbox(ids.map((id) => ({ id, links: {} })));

interface Ask {
  readonly type?: QuestionType;
  readonly names?: SandboxNames;
  readonly edns?: number;
  readonly overTcp?: boolean;
  readonly flags?: number;
  readonly class?: 'IN' | 'CH';
}

function packetFor(name: string, ask: Ask = {}): Uint8Array {
  const { type = 'A', edns, flags = dns.RECURSION_DESIRED } = ask;
  return dns.encode({
    type: 'query',
    id: 0xbeef,
    flags,
    questions: [{ name, type: type as RecordType, class: ask.class ?? 'IN' }],
    ...(edns === undefined
      ? {}
      : {
          additionals: [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize: edns,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            },
          ],
        }),
  });
}

function reply(packet: Uint8Array, names: SandboxNames, overTcp = false): Uint8Array | number {
  const out = new Uint8Array(overTcp ? 65535 : MAX_UDP_REPLY);
  const length = answerQuery(packet, packet.length, names, out, overTcp);
  return length > 0 ? out.slice(0, length) : length;
}

type Decoded = DecodedPacket & { readonly bytes: Uint8Array; readonly rcode: string };
/** ANY is a type of questions alone, which the types of dns-packet leave out. */
type QuestionType = RecordType | 'ANY';

function ask(name: string, options: Ask = {}): Decoded | number {
  const bytes = reply(packetFor(name, options), options.names ?? on('n1', 'n2'), options.overTcp);
  if (typeof bytes === 'number') return bytes;
  return { ...dns.decode(Buffer.from(bytes)), bytes } as unknown as Decoded;
}

function answered(name: string, options: Ask = {}): Decoded {
  const result = ask(name, options);
  assert.ok(typeof result === 'object', `${name}: not answered but ${result}`);
  return result;
}

const data = ({ answers = [] }: Packet) => answers.map((answer) => ('data' in answer ? answer.data : ''));

/** Names of sandboxes on shop and then Back.End; the expected data, or what happens instead. */
const lookups: readonly [name: string, type: QuestionType, expected: readonly string[] | number][] = [
  ['web', 'A', ['10.1.0.2']],
  ['WEB', 'A', ['10.1.0.2']],
  ['wWw', 'A', ['10.1.0.2']],
  ['web.', 'A', ['10.1.0.2']],
  ['0123456789AB', 'A', ['10.1.0.2']],
  ['web', 'AAAA', ['fd00::2']],
  ['db', 'AAAA', []],
  ['six', 'A', []],
  ['six', 'AAAA', ['fd00::6']],
  ['web', 'MX', []],
  ['nobody', 'MX', FORWARD],
  ['web', 'TXT', FORWARD],
  ['web', 'SRV', FORWARD],
  ['web', 'ANY', FORWARD],
  ['web', 'CNAME', FORWARD],
  ['nobody', 'A', FORWARD],
  ['nobody', 'AAAA', FORWARD],
  ['example.com', 'A', FORWARD],
  ['only2', 'A', ['10.2.0.9']],
  ['web.prod', 'A', ['10.1.0.2']],
  ['web.prod.shop', 'A', ['10.1.0.2']],
  ['web.shop', 'A', ['10.1.0.2']],
  ['web.SHOP.', 'A', ['10.1.0.2']],
  ['web.back.end', 'A', ['10.2.0.2']],
  ['only2.shop', 'A', FORWARD],
  ['db.back.end', 'A', FORWARD],
  ['secret', 'A', FORWARD],
  ['secret.other', 'A', FORWARD],
  ['shop', 'A', FORWARD],
  ['.', 'A', FORWARD],
  // The whole name on any network comes before its first part on the network that the rest names.
  ['db.shop', 'A', ['10.2.0.7']],
  ['2.0.1.10.in-addr.arpa', 'PTR', ['web.shop']],
  ['2.0.1.10.IN-ADDR.ARPA', 'PTR', ['web.shop']],
  ['4.0.1.10.in-addr.arpa', 'PTR', ['db2.shop']],
  ['2.0.2.10.in-addr.arpa', 'PTR', ['web.Back.End']],
  ['2.0.3.10.in-addr.arpa', 'PTR', FORWARD],
  ['1.0.1.10.in-addr.arpa', 'PTR', FORWARD],
  [`2.${'0.'.repeat(27)}0.d.f.ip6.arpa`, 'PTR', FORWARD],
  [`2.${'0.'.repeat(29)}d.f.ip6.arpa`, 'PTR', ['web.shop']],
  ['web', 'PTR', FORWARD],
];

describe('lookups', () => {
  for (const [name, type, expected] of lookups) {
    test(`${type} ${name}: ${typeof expected === 'number' ? 'forward' : `[${expected}]`}`, () => {
      const result = ask(name, { type });
      if (typeof expected === 'number') {
        assert.equal(result, expected);
        return;
      }
      assert.ok(typeof result === 'object');
      assert.deepEqual(data(result), expected);
      assert.equal(result.rcode, 'NOERROR');
    });
  }

  test('the first network with the name answers alone, in order of preference', () => {
    assert.deepEqual(data(answered('web', { names: on('n2', 'n1') })), ['10.2.0.2']);
    // It is known there, so it has no IPv6 address, though another network has one.
    assert.deepEqual(data(answered('web', { names: on('n2', 'n1'), type: 'AAAA' })), []);
  });

  test('a sandbox sees only its own networks', () => {
    assert.equal(ask('web', { names: on('n3') }), FORWARD);
    assert.equal(ask('web.shop', { names: on('n3') }), FORWARD);
    assert.equal(ask('2.0.1.10.in-addr.arpa', { names: on('n3'), type: 'PTR' }), FORWARD);
    assert.deepEqual(data(answered('secret', { names: on('n3') })), ['10.3.0.2']);
    assert.equal(ask('web', { names: on() }), FORWARD);
    assert.equal(ask('web', { names: on('never-put') }), FORWARD);
  });

  test('a class other than IN is not ours', () => {
    assert.equal(ask('web', { class: 'CH' }), FORWARD);
  });

  test('every reply begins with another address and has all of them', () => {
    const all = ['10.1.0.3', '10.1.0.4', '10.1.0.5'];
    const first = new Set<unknown>();
    for (let turn = 0; turn < 3; turn++) {
      const got = data(answered('store'));
      assert.deepEqual(got.toSorted(), all);
      first.add(got[0]);
    }
    assert.equal(first.size, 3);
  });

  test('with ndots chosen by the user, unknown single labels have no addresses and are not forwarded', () => {
    const names = sandbox([{ id: 'n1', links: {} }], true);
    for (const type of ['A', 'AAAA'] as const) {
      const empty = answered('nobody', { names, type });
      assert.deepEqual(data(empty), []);
      assert.equal(empty.rcode, 'NOERROR');
    }
    assert.deepEqual(data(answered('web', { names })), ['10.1.0.2']);
    assert.equal(ask('nobody.example', { names }), FORWARD);
    assert.equal(ask('nobody', { names, type: 'MX' }), FORWARD);
  });

  test('a network whose name fits no label still has names, but no reverse ones', () => {
    assert.deepEqual(data(answered('odd', { names: on('n5') })), ['10.5.0.2']);
    assert.equal(ask('2.0.5.10.in-addr.arpa', { names: on('n5'), type: 'PTR' }), FORWARD);
  });

  test('what is dropped or put anew is seen at once', () => {
    const names = on('n6');
    assert.equal(ask('late', { names }), FORWARD);
    const hosts = (ipv4: string) => [{ names: ['late'], ipv4 }];
    book.apply({ networks: [{ id: 'n6', name: 'six', hosts: hosts('10.6.0.2') }] });
    assert.deepEqual(data(answered('late', { names })), ['10.6.0.2']);
    book.apply({ networks: [{ id: 'n6', name: 'six', hosts: hosts('10.6.0.3') }] });
    assert.deepEqual(data(answered('late', { names })), ['10.6.0.3']);
    book.apply({ dropNetworks: ['n6'] });
    assert.equal(ask('late', { names }), FORWARD);
    book.apply({ dropSandboxes: ['asking'] });
    assert.equal(book.sandbox('asking'), undefined);
  });
});

describe('links', () => {
  const linked = (links: Record<string, string>, ...more: string[]) =>
    sandbox([{ id: 'n1', links }, ...more.map((id) => ({ id, links: {} }))]);

  test('resolve to what the target resolves to, on the same network', () => {
    const names = linked({ LDB: 'Store' }, 'n2');
    assert.equal(data(answered('ldb', { names })).length, 3);
    assert.equal(data(answered('ldb.shop', { names })).length, 3);
    assert.equal(ask('ldb.back.end', { names }), FORWARD);
    assert.equal(ask('l2', { names: linked({ l2: 'only2' }, 'n2') }), FORWARD);
  });

  test('are private', () => {
    linked({ ldb: 'db' });
    assert.equal(ask('ldb'), FORWARD);
  });

  test('come before real names on all networks, and hide an equal name even when the target is missing', () => {
    assert.deepEqual(data(answered('web', { names: linked({ web: 'db' }) })), ['10.1.0.3']);
    assert.equal(ask('web', { names: linked({ web: 'gone' }) }), FORWARD);
    assert.deepEqual(data(answered('web', { names: linked({ web: 'gone' }, 'n2') })), ['10.2.0.2']);
    const second = sandbox([
      { id: 'n1', links: {} },
      { id: 'n2', links: { web: 'only2' } },
    ]);
    assert.deepEqual(data(answered('web', { names: second })), ['10.2.0.9']);
  });

  test('names from Object.prototype are ordinary ones', () => {
    assert.equal(ask('constructor', { names: linked({}) }), FORWARD);
    assert.equal(ask('__proto__', { names: linked({}) }), FORWARD);
  });
});

describe('replies', () => {
  test('copy id and RD, say that recursion is available, and echo the question in its own spelling', () => {
    const plain = answered('wEb', { flags: 0 });
    assert.equal(plain.id, 0xbeef);
    assert.equal(plain.type, 'response');
    assert.equal(plain.flag_ra, true);
    assert.equal(plain.flag_aa, false);
    assert.equal(plain.flag_rd, false);
    assert.equal(plain.flag_tc, false);
    assert.deepEqual(plain.questions, [{ name: 'wEb', type: 'A', class: 'IN' }]);
    assert.equal(answered('web').flag_rd, true);
    assert.deepEqual(
      plain.answers?.map((answer) => 'ttl' in answer && answer.ttl),
      [600],
    );
    assert.deepEqual(
      plain.answers?.map(({ name }) => name),
      ['wEb'],
    );
  });

  test('carry an OPT record exactly when the query does', () => {
    assert.deepEqual(answered('web').additionals, []);
    for (const type of ['A', 'MX'] as const) {
      const [opt, ...more] = answered('web', { type, edns: 1232 }).additionals ?? [];
      assert.equal(opt?.type, 'OPT');
      assert.equal(opt?.type === 'OPT' && opt.udpPayloadSize, MAX_UDP_REPLY);
      assert.deepEqual(more, []);
    }
  });

  const limits: readonly [Ask, largest: number, truncated: boolean][] = [
    [{}, 512, true],
    [{ edns: 100 }, 512, true],
    [{ edns: 1232 }, 1232, true],
    [{ edns: 65535 }, MAX_UDP_REPLY, true],
    [{ overTcp: true }, 65535, false],
  ];
  for (const [options, largest, truncated] of limits) {
    test(`of 300 addresses keep to ${largest} bytes with ${JSON.stringify(options)}`, () => {
      const result = answered('crowd', { ...options, names: on('n4') });
      assert.ok(result.bytes.length <= largest, `${result.bytes.length} bytes`);
      assert.equal(result.flag_tc, truncated);
      if (truncated) assert.ok(result.bytes.length > largest - 16, 'as many as fit');
      else assert.equal(new Set(data(result)).size, 300);
    });
  }

  test('without records can say that the records did not fit', () => {
    const packet = packetFor('web', { edns: 1232 });
    const query = newQuery();
    assert.ok(readQuery(packet, packet.length, query));
    const out = new Uint8Array(600);
    const short = dns.decode(Buffer.from(out.subarray(0, writeTruncated(packet, query, out))));
    assert.equal(short.flag_tc, true);
    assert.deepEqual(short.answers, []);
    assert.equal(short.additionals?.length, 1);
  });
});

describe('packets that no honest client sends', () => {
  const names = on('n1', 'n2');
  const good = Buffer.from(packetFor('web', { edns: 1232 }));
  /** The reply to the packet with some bytes changed: `at`, then what is there. */
  const changed = (at: number, ...bytes: number[]) => {
    const packet = Buffer.from(good);
    packet.set(bytes, at);
    return reply(packet, names);
  };
  const code = (result: Uint8Array | number) =>
    typeof result === 'number' ? result : (result[3]! & 15) + 100 * result.length;
  const HEADER_ONLY = 1200;
  const optAt = good.length - 11;

  const cases: readonly [what: string, result: Uint8Array | number, expected: number][] = [
    ['nothing', reply(Buffer.alloc(0), names), IGNORE],
    ['less than a header', reply(good.subarray(0, 11), names), IGNORE],
    ['a response', changed(2, 0x80), IGNORE],
    ['opcode STATUS', changed(2, 2 << 3), HEADER_ONLY + 4],
    ['opcode UPDATE', changed(2, 5 << 3), HEADER_ONLY + 4],
    ['no question', changed(4, 0, 0), HEADER_ONLY + 1],
    ['two questions', changed(4, 0, 2), HEADER_ONLY + 1],
    ['65535 questions', changed(4, 255, 255), HEADER_ONLY + 1],
    ['a header alone', reply(good.subarray(0, 12), names), HEADER_ONLY + 1],
    ['a name that is cut short', reply(good.subarray(0, 14), names), HEADER_ONLY + 1],
    ['a question that is cut short', reply(good.subarray(0, 19), names), HEADER_ONLY + 1],
    ['a pointer to itself', changed(12, 0xc0, 12), HEADER_ONLY + 1],
    ['a pointer forward', changed(12, 0xc0, 40), HEADER_ONLY + 1],
    ['a label of a reserved kind', changed(12, 0x40), HEADER_ONLY + 1],
    ['a label beyond the end', changed(12, 63), HEADER_ONLY + 1],
    ['an OPT record beyond the end', changed(good.length - 2, 0, 1), HEADER_ONLY + 1],
    ['an OPT record among the answers', changed(6, 0, 1, 0, 0, 0, 0), HEADER_ONLY + 1],
    ['more records than there are', changed(10, 255, 255), HEADER_ONLY + 1],
    ['a record whose name points nowhere', changed(optAt, 0xc0), HEADER_ONLY + 1],
    ['EDNS version 1', changed(optAt + 6, 1), good.length * 100],
  ];
  for (const [what, result, expected] of cases) {
    test(what, () => assert.equal(code(result), expected));
  }

  test('EDNS version 1 is answered with BADVERS', () => {
    const result = changed(optAt + 6, 1);
    assert.ok(typeof result === 'object');
    assert.equal(result[optAt + 5], 1);
  });

  test('a name of 255 bytes is read, a longer one refused', () => {
    const label = 'a'.repeat(63);
    const longest = [label, label, label, 'b'.repeat(61)];
    assert.equal(reply(packetFor(longest.join('.')), names), FORWARD);
    assert.equal(code(reply(packetFor([...longest.slice(0, 3), 'b'.repeat(62)].join('.')), names)), 1201);
  });

  test('names with dots, spaces or other bytes inside their labels are nobody here', () => {
    for (const byte of [0x2e, 0x20, 0, 0xff, 0x7f]) {
      const packet = Buffer.from(packetFor('webxprod'));
      packet[16] = byte;
      assert.equal(reply(packet, names), FORWARD, `byte ${byte}`);
    }
  });

  test('a packet longer than its message is taken for what it begins with', () => {
    assert.ok(typeof reply(Buffer.concat([good, Buffer.alloc(900, 255)]), names) === 'object');
  });
});

/** Repeatable randomness (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

test('whatever arrives, the function returns, writes within the reply, and answers only what was asked', () => {
  const names = on('n1', 'n4');
  const seeds = [
    packetFor('web'),
    packetFor('crowd', { edns: 4096 }),
    packetFor('2.0.1.10.in-addr.arpa', { type: 'PTR', edns: 512 }),
    packetFor('a.b.c.example.com', { type: 'TXT' }),
  ];
  const outcomes = new Map<string, number>();
  for (let round = 0; round < 30_000; round++) {
    const random = randomFrom(round);
    let packet: Buffer;
    if (round % 3 === 0) {
      packet = Buffer.from(Array.from({ length: random(200) }, () => random(256)));
      if (packet.length > 5 && random(2) === 0) packet.set([0, 0, 0, 1], 2);
    } else {
      packet = Buffer.from(seeds[random(seeds.length)]!);
      for (let change = random(4); change >= 0; change--) packet[random(packet.length)] = random(256);
      if (random(4) === 0) packet = packet.subarray(0, random(packet.length + 1));
    }
    // Behind the limit lies a guard that must stay as it is.
    const guarded = new Uint8Array(MAX_UDP_REPLY + 16).fill(0xaa, MAX_UDP_REPLY);
    const before = Buffer.from(packet);
    const length = answerQuery(packet, packet.length, names, guarded.subarray(0, MAX_UDP_REPLY), false);
    const where = `round ${round}: ${before.toString('hex')}`;
    assert.deepEqual(packet, before, where);
    assert.ok(
      guarded.subarray(MAX_UDP_REPLY).every((byte) => byte === 0xaa),
      where,
    );
    assert.ok(Number.isInteger(length) && length >= FORWARD && length <= MAX_UDP_REPLY, where);
    if (length > 0) {
      assert.equal(guarded[0], packet[0], where);
      assert.equal(guarded[2]! & 0x80, 0x80, where);
      dns.decode(Buffer.from(guarded.subarray(0, length)));
    }
    const outcome =
      length === FORWARD ? 'forward' : length === IGNORE ? 'ignore' : `code ${guarded[3]! & 15}`;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  for (const outcome of ['forward', 'ignore', 'code 0', 'code 1', 'code 4']) {
    assert.ok((outcomes.get(outcome) ?? 0) > 100, `${outcome} happens: ${JSON.stringify([...outcomes])}`);
  }
});
