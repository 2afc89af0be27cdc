/** Lines of the benchmark table, and the clock. Figures are ratios beside something in the same run. */
export const line = (what: string, figure: string, beside: string): void => {
  console.log(`${what.padEnd(34)} ${figure.padStart(26)}   ${beside}`)
}

/** The result of `work` and how many seconds it took. */
export const timed = <T>(work: () => T): readonly [T, number] => {
  const start = process.hrtime.bigint()
  const result = work()
  return [result, Number(process.hrtime.bigint() - start) / 1e9]
}
