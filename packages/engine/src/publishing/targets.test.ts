import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PortProtocol, PublishedPort } from '../model/ports.ts';
import { type AttachmentShape, attachment } from './fixtures.ts';
import {
  defaultHostAddress,
  firewallPorts,
  heldPorts,
  type PublishTarget,
  publishTarget,
  servedPorts,
} from './targets.ts';

const ipv4Address = '172.18.0.2';
const ipv6Address = 'fd00::2';

describe('published ports lead', () => {
  const cases: readonly [string, AttachmentShape[], PublishTarget | undefined][] = [
    ['nowhere without networks', [], undefined],
    ['nowhere from an internal network', [{ name: 'a', ipv4Address, internal: true }], undefined],
    [
      'to the address of each family',
      [{ name: 'a', ipv4Address, ipv6Address }],
      { ipv4: ipv4Address, ipv6: ipv6Address },
    ],
    ['to an IPv6 address alone', [{ name: 'a', ipv6Address }], { ipv6: ipv6Address }],
    [
      'to the network that is the way out',
      [
        { name: 'b', ipv4Address: '172.18.0.9' },
        { name: 'a', ipv4Address },
      ],
      { ipv4: ipv4Address },
    ],
    [
      'past an internal network',
      [
        { name: 'a', ipv4Address: '172.18.0.9', internal: true },
        { name: 'b', ipv4Address },
      ],
      { ipv4: ipv4Address },
    ],
    [
      'to two networks, where each is the way out of one family',
      [
        { name: 'a', ipv4Address },
        { name: 'b', ipv6Address },
      ],
      { ipv4: ipv4Address, ipv6: ipv6Address },
    ],
    [
      'not where addresses are routed and not translated',
      [{ name: 'a', ipv4Address, ipv6Address, bridge: { gatewayModes: { ipv4: 'nat', ipv6: 'routed' } } }],
      { ipv4: ipv4Address },
    ],
    [
      'also where translation does not protect',
      [{ name: 'a', ipv4Address, bridge: { gatewayModes: { ipv4: 'nat-unprotected', ipv6: 'nat' } } }],
      { ipv4: ipv4Address },
    ],
    [
      'nowhere where the way out is routed, though another network translates',
      [
        { name: 'a', ipv4Address, bridge: { gatewayModes: { ipv4: 'routed', ipv6: 'nat' } } },
        { name: 'b', ipv4Address: '172.18.0.9' },
      ],
      undefined,
    ],
  ];
  for (const [what, shapes, target] of cases) {
    it(what, () => assert.deepEqual(publishTarget(shapes.map(attachment)), target));
  }
});

describe('the host address of bindings that name none', () => {
  it('is what the network that takes them says', () => {
    const bound = { hostBindingIpv4: '127.0.0.1' };
    assert.equal(defaultHostAddress([attachment({ name: 'a', ipv4Address, bridge: bound })]), '127.0.0.1');
    assert.equal(defaultHostAddress([attachment({ name: 'a', ipv4Address })]), undefined);
    const other = attachment({ name: 'b', ipv4Address, bridge: bound });
    assert.equal(defaultHostAddress([other, attachment({ name: 'a', ipv4Address })]), undefined);
    assert.equal(defaultHostAddress([]), undefined);
  });
});

function at(hostAddress: string, protocol: PortProtocol = 'tcp'): PublishedPort {
  return { port: 80, protocol, hostAddress, hostPort: 8080 };
}

describe('a port at', () => {
  const ipv4 = { ipv4: ipv4Address };
  const ipv6 = { ipv6: ipv6Address };
  const both = { ...ipv4, ...ipv6 };
  /** Where the kernel and where the keeper pass it on to. */
  const cases: readonly [
    PublishedPort,
    PublishTarget,
    kernel: string | undefined,
    keeper: string | undefined,
  ][] = [
    [at('0.0.0.0'), ipv4, ipv4Address, undefined],
    [at('0.0.0.0'), both, ipv4Address, undefined],
    [at('127.0.0.1'), ipv4, ipv4Address, undefined],
    [at('0.0.0.0'), ipv6, undefined, ipv6Address],
    [at('198.51.100.1'), ipv6, undefined, ipv6Address],
    [at('::'), ipv4, undefined, ipv4Address],
    [at('::'), both, ipv6Address, ipv6Address],
    [at('::1'), ipv4, undefined, ipv4Address],
    [at('::1'), both, undefined, ipv6Address],
    [at('2001:db8::1'), ipv4, undefined, ipv4Address],
    [at('2001:db8::1'), both, ipv6Address, undefined],
    [at('::', 'udp'), ipv4, undefined, ipv4Address],
    [at('::', 'sctp'), ipv4, undefined, undefined],
    [at('::', 'sctp'), both, ipv6Address, undefined],
    [at('0.0.0.0'), {}, undefined, undefined],
  ];
  for (const [port, target, kernel, keeper] of cases) {
    const families = Object.keys(target).join(' and ') || 'nothing';
    const by = [kernel && 'the kernel', keeper && 'the keeper'].filter(Boolean).join(' and ') || 'nobody';
    it(`${port.hostAddress} (${port.protocol}) of a container with ${families} is passed on by ${by}`, () => {
      const { protocol, hostAddress, hostPort, port: containerPort } = port;
      assert.deepEqual(
        firewallPorts([port], target),
        kernel ? [{ protocol, hostAddress, hostPort, containerAddress: kernel, containerPort }] : [],
      );
      const relay = keeper ? { relay: { address: keeper, port: containerPort } } : {};
      assert.deepEqual(heldPorts([port], target), [
        { protocol, address: hostAddress, port: hostPort, ...relay },
      ]);
    });
  }
});

describe('people are told', () => {
  const port = (hostAddress: string, protocol: PortProtocol = 'tcp'): PublishedPort => ({
    protocol,
    hostAddress,
    hostPort: 8080,
    port: 80,
  });
  const both = { ipv4: ipv4Address, ipv6: ipv6Address };
  const cases: readonly [string, PublishedPort, PublishTarget, string | undefined, string[]][] = [
    ['that the kernel translates', port('0.0.0.0'), both, ipv4Address, ['kernel']],
    ['that ::1 is served beside it', port('::'), both, ipv6Address, ['kernel', 'relay']],
    ['that ::1 alone is relayed', port('::1'), both, ipv6Address, ['relay']],
    ['that another family is relayed', port('::'), { ipv4: ipv4Address }, ipv4Address, ['relay']],
    ['that SCTP is not', port('::', 'sctp'), { ipv4: ipv4Address }, undefined, []],
  ];
  for (const [what, published, target, containerAddress, servedBy] of cases) {
    it(what, () => {
      const { hostAddress: address, protocol } = published;
      assert.deepEqual(servedPorts([published], target), [
        {
          protocol,
          ...(containerAddress ? { containerAddress } : {}),
          containerPort: 80,
          host: { address, port: 8080, servedBy },
        },
      ]);
    });
  }
});
