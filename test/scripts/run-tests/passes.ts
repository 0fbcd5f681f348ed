describe('a file', () => {
  it('passes', () => {});
});
