import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../base/errors.ts';
import type { ImageConfig } from '../model/image.ts';
import { applyChanges, emptyImageConfig } from './config-change.ts';

function changed(...changes: string[]): ImageConfig {
  return applyChanges(emptyImageConfig(), changes);
}

test('commands are vectors in JSON form and shell lines otherwise', () => {
  assert.deepEqual(changed('CMD ["a", "b c"]').cmd, ['a', 'b c']);
  assert.deepEqual(changed('cmd echo  "hi"').cmd, ['/bin/sh', '-c', 'echo  "hi"']);
  assert.deepEqual(changed('ENTRYPOINT ["/x"]').entrypoint, ['/x']);
  assert.deepEqual(changed('ENTRYPOINT foo $A').entrypoint, ['/bin/sh', '-c', 'foo $A']);
  assert.deepEqual(changed('CMD ["a",').cmd, ['/bin/sh', '-c', '["a",']);
  assert.equal(changed('CMD x', 'CMD []').cmd, null);
});

test('environment takes both forms, and the later value wins in place', () => {
  assert.deepEqual(changed('ENV A=1 B="x y" C=p\\ q', 'ENV D d e', "ENV A='2'").env, [
    'A=2',
    'B=x y',
    'C=p q',
    'D=d e',
  ]);
});

test('variables of the environment so far are put in', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the Dockerfile's own syntax.
  const config = changed('ENV A=1', "ENV B=$A-${A}-${X:-none}-${A:+set} C='$A' D=\\$A", 'WORKDIR /srv/$A');
  assert.deepEqual(config.env, ['A=1', 'B=1-1-none-set', 'C=$A', 'D=$A']);
  assert.equal(config.workingDir, '/srv/1');
});

test('ports, volumes and labels add up', () => {
  const config = changed(
    'EXPOSE 80 53/UDP',
    'EXPOSE 80/tcp 8000-8002',
    'VOLUME /a /b',
    'VOLUME ["/c", "/a"]',
    'LABEL a=b "c d"="e f"',
    'LABEL a=z',
  );
  assert.deepEqual(config.exposedPorts, ['80/tcp', '53/udp', '8000/tcp', '8001/tcp', '8002/tcp']);
  assert.deepEqual(config.volumes, ['/a', '/b', '/c']);
  assert.deepEqual(config.labels, { a: 'z', 'c d': 'e f' });
});

test('a relative working directory continues the one before', () => {
  assert.equal(changed('WORKDIR /w', 'WORKDIR x/../y').workingDir, '/w/y');
  assert.equal(changed('WORKDIR x').workingDir, '/x');
});

test('user and stop signal are set', () => {
  assert.equal(changed('USER web:web').user, 'web:web');
  assert.equal(changed('STOPSIGNAL SIGINT').stopSignal, 'SIGINT');
});

test('what is malformed is refused with the reason', () => {
  const cases: [string, RegExp][] = [
    ['RUN x', /^run is not a valid change command$/],
    ['', /is not a valid change command$/],
    ['ENV A', /^ENV must have two arguments$/],
    ['ENV A=1 B', /can't find = in "B"/],
    ['ENV =1', /^ENV must have two arguments$/],
    ['LABEL a', /^LABEL must have two arguments$/],
    ['EXPOSE x', /^Invalid containerPort: x$/],
    ['EXPOSE 0', /^Invalid containerPort: 0$/],
    ['EXPOSE 70000', /^Invalid containerPort/],
    ['EXPOSE', /^EXPOSE requires at least one argument$/],
    ['VOLUME', /^VOLUME requires at least one argument$/],
    ['USER', /^USER requires exactly one argument$/],
    ['WORKDIR', /^WORKDIR requires exactly one argument$/],
    ['ENV A="x', /matching double-quote$/],
  ];
  for (const [change, message] of cases) {
    assert.throws(
      () => changed(change),
      (error) => error instanceof EngineError && error.kind === 'invalid' && message.test(error.message),
      change,
    );
  }
});

test('the given configuration is left as it was', () => {
  const before = emptyImageConfig();
  applyChanges(before, ['ENV A=1', 'EXPOSE 1', 'LABEL a=b']);
  assert.deepEqual(before, emptyImageConfig());
});
