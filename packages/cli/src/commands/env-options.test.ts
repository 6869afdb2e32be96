import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEnvFile } from './env-options.ts';

test('a file has one variable a line, comments, and names that take our value', () => {
  const text = '\uFEFFA=1\r\n\n# comment\n  B=two words # kept\nHOME\nMISSING\nC="quoted"\nD=\n';
  assert.deepEqual(parseEnvFile(text, { HOME: '/root' }), [
    'A=1',
    'B=two words # kept',
    'HOME=/root',
    'C="quoted"',
    'D=',
  ]);
});

test('a line without a name, or with white space in it, is refused', () => {
  assert.throws(() => parseEnvFile('=x', {}), /no variable name on line '=x'/);
  assert.throws(() => parseEnvFile('A B=x', {}), /variable 'A B' contains whitespaces/);
  assert.throws(() => parseEnvFile('A =x', {}), /contains whitespaces/);
});
