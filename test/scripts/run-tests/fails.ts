describe('a file', () => {
  it('fails', () => {
    throw new Error('planted');
  });
  it('passes', () => {});
});
