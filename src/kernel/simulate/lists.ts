/** Lists of small numbers as answers of a tree, which has room for one number: each list is kept once, under its own. */
export class Lists {
  /** All lists, one after the other, and where each begins and ends. */
  readonly all: number[] = []
  readonly at: number[] = []
  readonly end: number[] = []
  private readonly names = new Map<string, number>()

  /** The number of a list; the same list has the same one. */
  numberOf(list: readonly number[]): number {
    const name = list.join()
    const known = this.names.get(name)
    if (known !== undefined) return known
    const number = this.at.length
    this.names.set(name, number)
    this.at.push(this.all.length)
    this.all.push(...list)
    this.end.push(this.all.length)
    return number
  }
}
