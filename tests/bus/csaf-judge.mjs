// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Usage: csaf-judge.mjs FOLDER <DOCUMENT
//
// Holds a CSAF 2.0 document to the published schema and to all mandatory tests of the standard (section 6.1), with
// the validator that npm has installed in FOLDER (tools/lib/packages.sh). Prints what is wrong; exits with 1 then.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const room = resolve(process.argv[2], 'node_modules/@secvisogram/csaf-validator-lib')
const load = (file) => import(pathToFileURL(resolve(room, file)))
const { csaf_2_0 } = await load('schemaTests.js')
const tests = [csaf_2_0, ...Object.values(await load('basic.js'))]
const { default: validate } = await load('validate.js')

const document = JSON.parse(readFileSync(0))
const { isValid, tests: results } = await validate(tests, document)
for (const result of results)
  for (const error of result.errors)
    console.log(`${result.name}: ${error.instancePath}: ${error.message}`)
console.log(`${results.length} tests`)
process.exitCode = isValid ? 0 : 1
