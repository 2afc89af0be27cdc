// Writes docs/cli.md from the commands and the option table, as they are compiled.
import { writeFileSync } from 'node:fs'
import { cliPage } from '../dist/src/cli/docs.js'

writeFileSync(new URL('../docs/cli.md', import.meta.url), cliPage())
