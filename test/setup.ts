/** Runs before each test file. */
import { cleanUpAfterwards } from './afterwards.ts'

cleanUpAfterwards()
