/**
 * The one-way import rules of the project. Each folder names what it may import of the project; anything else fails.
 * TypeScript is read with swc: without it the tool follows no `.ts` file and finds nothing wrong with anything. swc does
 * not tell imports of types from others; circles of values are looked for in what is compiled, see `test/architecture`.
 */

/** Folder → the folders that it may import, itself included. */
const layers = {
  'src/layout': ['src/layout'],
  'src/kernel/language': ['src/kernel/language'],
  'src/contract': ['src/contract', 'src/layout'],
  'src/kernel': ['src/kernel', 'src/contract', 'src/layout'],
  spec: ['spec', 'src/kernel/language', 'src/layout'],
  // Code that spec and reference shared would hide the mistakes that they shared.
  'src/reference': ['src/reference', 'src/contract', 'src/layout'],
  'src/targets': ['src/targets', 'src/contract', 'src/layout', 'src/reference'],
  'src/models': ['src/models', 'spec', 'src/kernel', 'src/contract', 'src/layout'],
  'src/campaign': [
    'src/campaign',
    'src/models',
    'src/targets',
    'src/reference/faults',
    'spec',
    'src/kernel',
    'src/contract',
    'src/layout',
  ],
  'src/report': ['src/report', 'src/campaign', 'spec', 'src/kernel', 'src/contract', 'src/layout'],
}

const under = (folders) => `^(?:${folders.join('|')})/`
/** A folder inside another has rules of its own. */
const innerOf = (folder) => Object.keys(layers).filter((other) => other.startsWith(`${folder}/`))

const layerRules = Object.entries(layers).map(([folder, allowed]) => ({
  name: `${folder.replaceAll('/', '-')}-imports-one-way`,
  comment: `${folder} may import ${allowed.join(', ')} and nothing else of the project`,
  severity: 'error',
  from: { path: under([folder]), ...(innerOf(folder).length > 0 && { pathNot: under(innerOf(folder)) }) },
  to: { path: '^(?:src|spec|test|properties|bench|examples)/', pathNot: under(allowed) },
}))

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'machines-do-no-io',
      comment: 'a machine does no I/O, reads no clock and draws no number; only the catalogue reads its files',
      severity: 'error',
      from: { path: '^(?:spec|src/kernel/language|src/layout)/', pathNot: '^spec/clauses/' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-peer', 'npm-optional'] },
    },
    {
      name: 'product-imports-no-tests',
      severity: 'error',
      from: { path: '^(?:src|spec)/' },
      to: { path: '^(?:test|properties|bench|examples)/' },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '(?:^iospec/|(?:^|/)dist/)' },
    },
    {
      name: 'product-needs-no-development-packages',
      severity: 'error',
      from: { path: '^(?:src|spec)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm-peer', 'type-only'] },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(?:dist|node_modules)/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
