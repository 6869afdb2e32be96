import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type LinkedContainer, linkEntries, linkEnvironment, parseLink } from './links.ts';

const db: LinkedContainer = {
  alias: 'db',
  parentName: 'web',
  name: 'db',
  hostname: '0123456789ab',
  addresses: ['172.17.0.2'],
  env: [],
  exposedPorts: [],
};

describe('a link', () => {
  const accepted: [text: string, target: string, alias: string][] = [
    ['db:database', 'db', 'database'],
    ['db', 'db', 'db'],
    ['/db', 'db', 'db'],
    ['/db:/web/database', 'db', 'database'],
    ['web/db:again', 'web/db', 'again'],
  ];
  for (const [text, target, alias] of accepted) {
    it(`"${text}" means ${target}, called ${alias}`, () => {
      assert.deepEqual(parseLink(text), { target, alias });
    });
  }

  for (const text of [
    '',
    ':',
    ':x',
    'db:',
    'a:b:c',
    'db:two words',
    'db:a/b',
    'db:#x',
    'web/db',
    '/:/web/x',
  ]) {
    it(`"${text}" is refused`, () => {
      assert.throws(() => parseLink(text), {
        kind: 'invalid',
        code: 'invalid-link',
        message: `bad format for links: ${text}`,
      });
    });
  }
});

describe("the linking container's environment", () => {
  it('has only the name of a container without ports', () => {
    assert.deepEqual(linkEnvironment(db), ['DB_NAME=/web/db']);
  });

  it('names the first port, TCP before others and the lowest first, and then each', () => {
    assert.deepEqual(linkEnvironment({ ...db, exposedPorts: ['53/udp', '8080/tcp', '80/tcp'] }), [
      'DB_PORT=tcp://172.17.0.2:80',
      'DB_PORT_80_TCP=tcp://172.17.0.2:80',
      'DB_PORT_80_TCP_ADDR=172.17.0.2',
      'DB_PORT_80_TCP_PORT=80',
      'DB_PORT_80_TCP_PROTO=tcp',
      'DB_PORT_8080_TCP=tcp://172.17.0.2:8080',
      'DB_PORT_8080_TCP_ADDR=172.17.0.2',
      'DB_PORT_8080_TCP_PORT=8080',
      'DB_PORT_8080_TCP_PROTO=tcp',
      'DB_PORT_53_UDP=udp://172.17.0.2:53',
      'DB_PORT_53_UDP_ADDR=172.17.0.2',
      'DB_PORT_53_UDP_PORT=53',
      'DB_PORT_53_UDP_PROTO=udp',
      'DB_NAME=/web/db',
    ]);
  });

  it('has ranges of three or more ports in a row, within one protocol', () => {
    const exposedPorts = ['7002/tcp', '7000/tcp', '7001/tcp', '7003/udp', '9000/tcp', '9001/tcp'];
    const variables = linkEnvironment({ ...db, exposedPorts });
    assert.deepEqual(
      variables.filter((variable) => /_(START|END)=/.test(variable)),
      [
        'DB_PORT_7000_TCP_START=tcp://172.17.0.2:7000',
        'DB_PORT_7000_TCP_END=tcp://172.17.0.2:7002',
        'DB_PORT_7000_TCP_PORT_START=7000',
        'DB_PORT_7000_TCP_PORT_END=7002',
      ],
    );
  });

  it('passes on the variables of the other, but not where it lives and what it runs', () => {
    const env = ['PATH=/bin', 'HOME=/root', 'PASSWORD=a=b', 'EMPTY=', 'NOVALUE'];
    assert.deepEqual(linkEnvironment({ ...db, env }), [
      'DB_NAME=/web/db',
      'DB_ENV_PASSWORD=a=b',
      'DB_ENV_EMPTY=',
    ]);
  });

  it('makes a prefix of the alias', () => {
    const link = { ...db, alias: 'my-db.v2', exposedPorts: ['1/tcp'] };
    assert.equal(linkEnvironment(link)[0], 'MY_DB.V2_PORT=tcp://172.17.0.2:1');
    assert.equal(linkEnvironment(link).at(-1), 'MY_DB.V2_NAME=/web/my-db.v2');
  });

  it('writes an IPv6 address in brackets where a port follows', () => {
    const variables = linkEnvironment({ ...db, addresses: ['2001:db8::2'], exposedPorts: ['80/tcp'] });
    assert.ok(variables.includes('DB_PORT_80_TCP=tcp://[2001:db8::2]:80'));
    assert.ok(variables.includes('DB_PORT_80_TCP_ADDR=2001:db8::2'));
  });
});

describe("the linking container's hosts file", () => {
  it('calls the other by alias and host name, and by its name where that is another', () => {
    assert.deepEqual(linkEntries(db), [{ address: '172.17.0.2', names: ['db', '0123456789ab'] }]);
    assert.deepEqual(linkEntries({ ...db, alias: 'store' }), [
      { address: '172.17.0.2', names: ['store', '0123456789ab', 'db'] },
    ]);
  });

  it('has one line for each address', () => {
    const both = linkEntries({ ...db, addresses: ['172.17.0.2', '2001:db8::2'] });
    assert.deepEqual(
      both.map(({ address }) => address),
      ['172.17.0.2', '2001:db8::2'],
    );
  });
});
