describe('a file', () => {
  it('ends the process', () => process.exit(0));
});
