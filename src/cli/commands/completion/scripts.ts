/** The scripts that teach a shell to complete `katz`; they call `katz complete`. */

const bash = `# bash completion for katz. To try it: source <(katz completion bash)
# To keep it: katz completion bash > ~/.local/share/bash-completion/completions/katz
_katz() {
  # Words anew from the line: bash cuts addresses like tcp:HOST:PORT at their colons.
  local line="\${COMP_LINE:0:COMP_POINT}" words cur candidate
  read -r -a words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  cur="\${words[\${#words[@]}-1]}"
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate _; do
    [[ -n "$candidate" ]] && COMPREPLY+=("$candidate")
  done < <("\${words[0]}" complete -- "\${words[@]:1}" 2>/dev/null)
  if [[ "$cur" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
    local before="\${cur%"\${cur##*:}"}" i
    for i in "\${!COMPREPLY[@]}"; do COMPREPLY[i]="\${COMPREPLY[i]#"$before"}"; done
  fi
  [[ "\${COMPREPLY[0]-}" == *: ]] && compopt -o nospace
}
complete -o default -o bashdefault -F _katz katz
`;

const zsh = `#compdef katz
# zsh completion for katz. To try it: source <(katz completion zsh)
# To keep it: write it to a file named _katz in a folder of $fpath
_katz() {
  local -a candidates
  local candidate brief
  while IFS=$'\\t' read -r candidate brief; do
    [[ -n "$candidate" ]] && candidates+=("\${candidate//:/\\\\:}:$brief")
  done < <("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#candidates} )); then
    _describe 'katz' candidates
  else
    _files
  fi
}
if [[ "\${funcstack[1]}" == "_katz" ]]; then
  _katz "$@"
else
  compdef _katz katz
fi
`;

const fish = `# fish completion for katz. To try it: katz completion fish | source
# To keep it: katz completion fish > ~/.config/fish/completions/katz.fish
function __katz_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] complete -- $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c katz -f -a '(__katz_complete)'
`;

/** The script of each shell. */
export const completionScripts = { bash, zsh, fish } as const;
