/** A fault that is none: whatever it is said to find, it must not find. */
export default {
  id: 'changes-nothing',
  area: 'virtqueue',
  difficulty: 'shallow',
  what: 'Behaves as the reference does.',
  replaces: 'nothing',
  install() {},
}
