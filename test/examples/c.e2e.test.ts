import { examples } from './examples.ts'
import { exampleSuite } from './suite.ts'

exampleSuite(examples.c)
